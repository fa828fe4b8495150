"""Scores of frames against their truth. A score is named by a protocol, in `evaluation`."""

from upreel.metrics.fidelity import psnr, ssim
from upreel.metrics.temporal import farneback, tof

__all__ = ["farneback", "psnr", "ssim", "tof"]
