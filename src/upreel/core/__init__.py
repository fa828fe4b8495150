"""Plain Python without torch: iterators, files, settings."""
