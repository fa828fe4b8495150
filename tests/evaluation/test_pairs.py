from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import correlate1d
from torch import Tensor

from tests.video.media import decoded, write_video
from upreel.data.clips import Clip
from upreel.evaluation.pairs import read_pair
from upreel.evaluation.protocols import find_protocol

BD = "val-bd-duf-y8"


def codes(seed: int, *shape: int) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(16, 236, shape, dtype=np.uint8)


def test_luma_of_a_video_is_the_decoders_own(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 5, size=(50, 36))
    pair = read_pair(Clip("a", path), replace(find_protocol("val-bi-y8"), frames=3))
    assert len(pair.low) == len(pair.high) == 3
    assert pair.low[0].shape == (1, 9, 12)
    for high, (_, planes) in zip(pair.high, decoded(path), strict=False):
        assert np.array_equal(high[0] * 255, planes[0][:36, :48])


def test_full_range_becomes_limited(tmp_path: Path) -> None:
    flat = [np.full(shape, 200, np.uint8) for shape in ((32, 32), (16, 16), (16, 16))]
    path = write_video(
        tmp_path / "a.mp4", [tuple(flat)] * 2, size=(32, 32), color=(2, 6, 6, 6),
        options={"qp": "0"},
    )  # fmt: skip
    pair = read_pair(Clip("a", path), find_protocol("val-bi-y8", 2))
    assert float(pair.high[0].mean()) * 255 == pytest.approx(round(16 + 200 * 219 / 255), abs=1e-3)


def test_luma_of_images_is_bt601(tmp_path: Path) -> None:
    rgb = codes(1, 16, 20, 3)
    (tmp_path / "clip").mkdir()
    cv2.imwrite(str(tmp_path / "clip" / "0.png"), rgb[..., ::-1])
    pair = read_pair(Clip("clip", tmp_path / "clip"), find_protocol("val-bi-y8", 2))
    expected = np.round(16 + rgb @ np.array([65.481, 128.553, 24.966]) / 255)
    assert np.allclose(pair.high[0][0].numpy() * 255, expected, atol=1e-3)


def test_halve_reduces_before_anything_else(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mp4", 1, size=(72, 40))
    pair = read_pair(Clip("a", path, halve=2), find_protocol("val-bi-y8", 4))
    assert pair.high[0].shape == (1, 20, 36)
    assert pair.low[0].shape == (1, 5, 9)
    whole = decoded(path)[0][1][0].astype(np.float64)
    blocks = whole.reshape(20, 2, 36, 2).mean((1, 3))
    assert np.abs(pair.high[0][0].numpy() * 255 - blocks).mean() < 2


def write_images(folder: Path, clip: NDArray[np.uint8]) -> Clip:
    """Grey images whose luma in studio range is `16 + 219 / 255` of their values."""
    folder.mkdir()
    for index, frame in enumerate(clip):
        cv2.imwrite(str(folder / f"{index}.png"), np.repeat(frame[..., None], 3, -1))
    return Clip("clip", folder)


def codes_of(frame: Tensor) -> NDArray[np.uint8]:
    array: NDArray[np.uint8] = (frame[0] * 255).round().byte().numpy()
    return array


def test_bd_samples_the_first_pixel_of_each_block(tmp_path: Path) -> None:
    pair = read_pair(write_images(tmp_path / "a", codes(2, 1, 40, 48)), find_protocol(BD))
    offsets = np.arange(-6, 7)
    kernel = np.exp(-(offsets**2) / (2 * 1.6**2))
    blurred = codes_of(pair.high[0]).astype(np.float64)
    for axis in (0, 1):
        blurred = correlate1d(blurred, kernel / kernel.sum(), axis=axis, mode="mirror")
    assert np.abs(codes_of(pair.low[0]) - blurred[::4, ::4]).max() <= 0.501


def test_the_codec_is_x264_at_crf_24(tmp_path: Path) -> None:
    clip = write_images(tmp_path / "a", codes(3, 3, 64, 80))
    plain = read_pair(clip, find_protocol("val-bi-y8", 2))
    lossy = read_pair(clip, find_protocol("val-codec24-y8", 2))
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as output:
        stream = output.add_stream("libx264", rate=25, options={"crf": "24", "preset": "medium"})
        stream.width, stream.height, stream.pix_fmt = 40, 32, "yuv420p"
        stream.thread_count = 1
        for index, frame in enumerate(plain.low):
            planes = np.vstack((codes_of(frame), np.full((16, 40), 128, np.uint8)))
            picture = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            picture.pts = index
            output.mux(stream.encode(picture))
        output.mux(stream.encode(None))
    buffer.seek(0)
    with av.open(buffer, "r") as source:
        expected = [picture.to_ndarray()[:32] for picture in source.decode(video=0)]
    for frame, array in zip(lossy.low, expected, strict=True):
        assert np.array_equal(codes_of(frame), array)
