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
from upreel.errors import MediaError
from upreel.evaluation.pairs import pillow_bicubic, read_pair, select
from upreel.evaluation.protocols import find_protocol
from upreel.video.trust import Trust

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


def test_a_clip_of_any_length_is_not_kept(tmp_path: Path) -> None:
    path = write_video(tmp_path / "a.mkv", 3)  # 3072 pixels each
    protocol = find_protocol("val-bi-y8", 2)
    assert len(read_pair(Clip("a", path, trust=Trust(3072)), protocol).high) == 3
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("upreel.evaluation.pairs._KEPT", 2)
        with pytest.raises(MediaError, match=r"more than 6144 pixels .* pass --max-pixels 6144"):
            read_pair(Clip("a", path, trust=Trust(3072)), protocol)
        assert len(read_pair(Clip("a", path, trust=Trust(6144)), protocol).high) == 3


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
        options = {"x264-params": "mbtree=0:cpu-independent=1", "crf": "24", "preset": "medium"}
        stream = output.add_stream("libx264", rate=25, options=options)
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


def pillow_by_hand(image: NDArray[np.uint8], size: int) -> NDArray[np.float64]:
    """Columns of an image, reduced: a kernel that is cut off at the border and has a sum of 1."""
    stretch = image.shape[-1] / size
    out = np.zeros((*image.shape[:-1], size))
    for index in range(size):
        centre = (index + 0.5) * stretch
        first, last = max(round(centre - 2 * stretch), 0), round(centre + 2 * stretch)
        at = np.arange(first, min(last, image.shape[-1]))
        x = np.abs((at + 0.5 - centre) / stretch)
        weights = np.where(
            x < 1, 1.5 * x**3 - 2.5 * x**2 + 1, np.where(x < 2, -0.5 * (x - 1) * (x - 2) ** 2, 0)
        )
        out[..., index] = image[..., at] @ (weights / weights.sum())
    return np.clip(np.floor(out + 0.5), 0, 255)


def test_pillows_bicubic_is_cut_off_at_the_border() -> None:
    image = codes(5, 3, 24, 32)
    wide = pillow_by_hand(image, 8).astype(np.uint8)
    expected = pillow_by_hand(wide.swapaxes(1, 2), 6).swapaxes(1, 2)
    found = pillow_bicubic(image, (6, 8)).astype(int)
    assert np.abs(found - expected).max() <= 1
    assert (found != expected).mean() < 0.02


@pytest.mark.parametrize(("frames", "scored"), [(37, 33), (30, 27), (45, 42), (43, 39)])
def test_ristns_script_keeps_three_frames_of_each_window(frames: int, scored: int) -> None:
    assert select(frames, find_protocol("ristn-script")) == tuple(range(scored))


def test_frames_that_count() -> None:
    assert select(7, find_protocol("vimeo90k-t")) == (3,)
    assert select(7, find_protocol("stvsr-vid4")) == tuple(range(7))
    assert select(34, find_protocol("stvsr-vid4")) == tuple(range(33))  # nothing follows the 33rd
    assert select(7, find_protocol("val-tsr-y8")) == (1, 3, 5)
    assert select(8, find_protocol("val-tsr-y8")) == (1, 3, 5)  # nothing follows the 7th
    assert select(41, find_protocol("vid4-bi-y")) == tuple(range(41))


def write_rgb(folder: Path, clip: NDArray[np.uint8]) -> Clip:
    folder.mkdir()
    for index, frame in enumerate(clip):
        cv2.imwrite(str(folder / f"{index}.png"), frame.transpose(1, 2, 0)[..., ::-1])
    return Clip("clip", folder)


def test_rgb_is_that_of_the_images_and_reduced_as_such(tmp_path: Path) -> None:
    rgb = codes(6, 2, 3, 40, 48)
    clip = write_rgb(tmp_path / "a", rgb)
    pair = read_pair(clip, find_protocol("reds4-bi-rgb"))
    assert np.array_equal((pair.high[1] * 255).round().byte().numpy(), rgb[1])
    assert pair.low[0].shape == (3, 10, 12)
    shifted = read_pair(clip, find_protocol("vid4-bd-y")).low[0]
    offsets = np.arange(-6, 7)
    kernel = np.exp(-(offsets**2) / (2 * 1.6**2))
    blurred = rgb[0].astype(np.float64)
    for axis in (1, 2):
        blurred = correlate1d(blurred, kernel / kernel.sum(), axis=axis, mode="mirror")
    assert np.abs(shifted.numpy() * 255 - blurred[:, ::4, ::4]).max() <= 0.51


def test_a_septuplet_is_mirrored_and_its_middle_counts(tmp_path: Path) -> None:
    pair = read_pair(write_rgb(tmp_path / "a", codes(7, 7, 3, 16, 16)), find_protocol("vimeo90k-t"))
    assert (len(pair.low), len(pair.high), pair.scored) == (14, 7, (3,))
    assert np.array_equal(pair.low[0], pair.low[13])


def test_ristns_clips_are_cut_around_their_middle(tmp_path: Path) -> None:
    rgb = codes(8, 9, 3, 16, 720)
    pair = read_pair(write_rgb(tmp_path / "a", rgb), find_protocol("ristn-script"))
    assert np.array_equal((pair.high[0] * 255).round().byte().numpy(), rgb[2, ..., 8:712])


def test_too_few_frames_are_said(tmp_path: Path) -> None:
    clip = write_rgb(tmp_path / "a", codes(9, 4, 3, 16, 16))
    with pytest.raises(MediaError, match="clip has too few frames for ristn-script"):
        read_pair(clip, find_protocol("ristn-script"))
