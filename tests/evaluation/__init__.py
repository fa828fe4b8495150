"""Tests of `upreel.evaluation`."""
