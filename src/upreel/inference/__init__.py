"""A stream of frames in, larger frames out: one loop, and the pipeline of files around it."""
