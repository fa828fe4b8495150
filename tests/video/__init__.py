"""Tests of `upreel.video`."""
