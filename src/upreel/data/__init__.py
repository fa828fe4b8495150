"""Clips, what is done to them, and batches for training."""
