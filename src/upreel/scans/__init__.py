"""Scanning-probe data: movies of heights, the files they are in, classical corrections."""
