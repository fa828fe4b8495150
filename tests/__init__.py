"""Tests of Upreel; the folders mirror those of the package."""
