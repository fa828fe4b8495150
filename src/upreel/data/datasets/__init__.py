"""Public data sets: where they come from, how they lie on the disk, an index of their clips."""
