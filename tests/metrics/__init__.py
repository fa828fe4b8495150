"""Tests of `upreel.metrics`."""
