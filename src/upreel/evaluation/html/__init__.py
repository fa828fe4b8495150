"""Reports that can be looked at: one HTML file, without anything from elsewhere."""

from upreel.evaluation.html.page import render, write

__all__ = ["render", "write"]
