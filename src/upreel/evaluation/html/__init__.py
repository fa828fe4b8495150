"""Reports that can be looked at: one HTML file, without anything from elsewhere."""

from upreel.evaluation.html.page import check_target, render, write

__all__ = ["check_target", "render", "write"]
