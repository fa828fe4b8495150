from __future__ import annotations

import re
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from av.filter import Graph
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from upreel.metrics import psnr, ssim

SIZE = (64, 80)


def ffmpeg(name: str, output: NDArray[np.uint8], truth: NDArray[np.uint8], stats: Path) -> float:
    """What a filter of FFmpeg finds for luma."""
    graph = Graph()
    score = graph.add(name, f"stats_file={stats}")
    sink = graph.add("buffersink")
    sources = []
    for place in range(2):
        height, width = SIZE
        source = graph.add("buffer", f"video_size={width}x{height}:pix_fmt=gray:time_base=1/25")
        source.link_to(score, 0, place)
        sources.append(source)
    score.link_to(sink)
    graph.configure()
    for source, pixels in zip(sources, (output, truth), strict=True):
        frame = av.VideoFrame.from_ndarray(pixels, format="gray")
        frame.pts = 0
        source.push(frame)
        source.push(None)
    sink.pull()
    del graph, score, sink, sources, source
    found = re.search(r"(?:psnr_y|Y):([\d.]+)", stats.read_text())
    assert found, stats.read_text()
    return float(found[1])


def pictures() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    random = np.random.default_rng(8)
    field = gaussian_filter(random.random(SIZE), 3)
    truth = 255 * (field - field.min()) / (field.max() - field.min())
    output = truth + random.normal(0, 6, SIZE)
    return output.clip(0, 255).round().astype(np.uint8), truth.round().astype(np.uint8)


def test_psnr_equals_that_of_ffmpeg(tmp_path: Path) -> None:
    output, truth = pictures()
    score = psnr(torch.from_numpy(output) / 255, torch.from_numpy(truth) / 255)
    assert score == pytest.approx(ffmpeg("psnr", output, truth, tmp_path / "stats"), abs=0.006)


def test_ssim_is_near_that_of_ffmpeg_which_has_another_window(tmp_path: Path) -> None:
    output, truth = pictures()
    score = ssim(torch.from_numpy(output) / 255, torch.from_numpy(truth) / 255)
    assert score == pytest.approx(ffmpeg("ssim", output, truth, tmp_path / "stats"), abs=0.05)
