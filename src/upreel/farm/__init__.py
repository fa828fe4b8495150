"""Many videos on many workers: schedules the segments of `inference.plan` on Ray."""
