"""Files to frames and back: reading, writing, stream copying, scenes, timing."""
