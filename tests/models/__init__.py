"""Tests of `upreel.models`."""
