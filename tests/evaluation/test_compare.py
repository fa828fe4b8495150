from __future__ import annotations

import re
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from upreel.cli import main
from upreel.errors import MediaError
from upreel.evaluation.compare import compare


def write(
    path: Path, instants: list[float], *, rate: int = 10, size: int = 64, noise: float = 0.0
) -> Path:
    """A lossless video whose grey level tells its instant."""
    generator = np.random.default_rng(1)
    with av.open(path, "w") as container:
        stream = container.add_stream("ffv1", rate=rate)
        stream.width = stream.height = size
        stream.pix_fmt = "gray"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for instant in instants:
            level = np.full((size, size), 40 + 100 * instant)
            level += generator.choice((-noise, noise), level.shape)
            frame = av.VideoFrame.from_ndarray(level.round().astype(np.uint8), format="gray")
            frame.pts, frame.time_base = round(instant * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_missing_frames_are_left_out_and_the_others_still_match(tmp_path: Path) -> None:
    instants = [index / 10 for index in range(8)]
    first = write(tmp_path / "a.mkv", instants)
    second = write(tmp_path / "b.mkv", instants[:3] + instants[4:])
    report = compare(first, second, tmp_path / "r.html")
    clip = report.rows[0].clips[0]
    assert clip.frames == (0, 1, 2, 4, 5, 6, 7)
    assert set(clip.scores["psnr"]) == {float("inf")}
    assert "1 frames of a.mkv have no partner" in (tmp_path / "r.html").read_text()


def test_frame_rates_may_differ(tmp_path: Path) -> None:
    first = write(tmp_path / "a.mkv", [index / 10 for index in range(6)])
    second = write(tmp_path / "b.mkv", [index / 20 for index in range(12)], rate=20)
    report = compare(first, second, tmp_path / "r.html")
    assert set(report.rows[0].clips[0].scores["psnr"]) == {float("inf")}
    assert "Frames in a second differ" in (tmp_path / "r.html").read_text()


def test_both_are_scored_against_the_reference_and_sizes_may_differ(tmp_path: Path) -> None:
    instants = [index / 10 for index in range(3)]
    truth = write(tmp_path / "c.mkv", instants)
    noisy = write(tmp_path / "a.mkv", instants, noise=8)
    small = write(tmp_path / "b.mkv", instants, size=32)
    report = compare(noisy, small, tmp_path / "r.html", reference=truth)
    # Untagged grey is luma of studio range, so Y is what the file has: errors of 8 everywhere.
    assert report["a.mkv"].psnr == pytest.approx(20 * np.log10(255 / 8), abs=1e-3)
    assert report["b.mkv"].psnr > 45
    text = (tmp_path / "r.html").read_text()
    assert re.search(r"b\.mkv was resized from 32x32 to 64x64 \(bicubic\)", text)


def test_videos_without_a_common_instant_are_refused(tmp_path: Path) -> None:
    first = write(tmp_path / "a.mkv", [0.0, 0.1])
    (tmp_path / "empty").mkdir()
    with pytest.raises(MediaError, match="images in this folder"):
        compare(first, tmp_path / "empty", tmp_path / "r.html")


def test_the_command_prints_scores_and_names_the_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = write(tmp_path / "a.mkv", [0.0, 0.1])
    second = write(tmp_path / "b.mkv", [0.0, 0.1], noise=8)
    out = tmp_path / "r.html"
    assert main(["compare", str(first), str(second), "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "b.mkv: 3" in printed
    assert f"{out}: open it in a browser" in printed
    assert out.exists()
