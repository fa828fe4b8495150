from __future__ import annotations

import re
import tracemalloc
from fractions import Fraction
from html.parser import HTMLParser
from pathlib import Path

import av
import numpy as np
import pytest

from upreel.cli import main
from upreel.errors import MediaError, UsageError
from upreel.evaluation.compare import compare


def write(
    path: Path,
    instants: list[float],
    *,
    rate: int = 10,
    size: int = 64,
    noise: float = 0.0,
    delay: float = 0.0,
) -> Path:
    """A lossless video whose grey level tells its instant; its clock may begin at `delay`."""
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
            frame.pts, frame.time_base = round((instant + delay) * 1000), Fraction(1, 1000)
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
    first, second = (write(tmp_path / name, [0.0, 0.1]) for name in ("a.mkv", "b.mkv"))
    target = tmp_path / "r.html"
    with pytest.raises(MediaError, match=r"frames of the same instants in .*b\.mkv, found none"):
        compare(first, second, target, offset=0.2)
    assert not target.exists()


def test_each_file_is_read_from_its_own_zero(tmp_path: Path) -> None:
    instants = [index / 10 for index in range(4)]
    first = write(tmp_path / "a.mkv", instants)
    second = write(tmp_path / "b.mkv", instants, delay=5)
    (clip,) = compare(first, second, tmp_path / "r.html").rows[0].clips
    assert clip.frames == (0, 1, 2, 3)
    assert set(clip.scores["psnr"]) == {float("inf")}


@pytest.mark.parametrize(
    ("begins", "offset", "frames"), [(0.3, 0.3, (3, 4, 5)), (-0.2, -0.2, (0, 1, 2))]
)
def test_a_video_that_begins_at_another_time_is_shifted(
    tmp_path: Path, begins: float, offset: float, frames: tuple[int, ...]
) -> None:
    first = write(tmp_path / "a.mkv", [index / 10 for index in range(6)])
    instants = [begins + index / 10 for index in range(5 if begins < 0 else 3)]
    second = write(tmp_path / "b.mkv", instants, delay=-begins)
    (unshifted,) = compare(first, second, tmp_path / "r.html").rows[0].clips
    assert max(unshifted.scores["psnr"]) < 30
    (clip,) = compare(first, second, tmp_path / "r.html", offset=offset).rows[0].clips
    assert clip.frames == frames
    assert set(clip.scores["psnr"]) == {float("inf")}
    assert f"b.mkv begins {offset} s after the zero" in (tmp_path / "r.html").read_text()


def test_an_offset_is_a_number(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="seconds as the offset, found nan"):
        compare(tmp_path / "a", tmp_path / "b", tmp_path / "r.html", offset=float("nan"))


def test_rates_may_vary(tmp_path: Path) -> None:
    steady = write(tmp_path / "a.mkv", [index / 10 for index in range(7)])
    varying = write(tmp_path / "b.mkv", [0.0, 0.1, 0.4, 0.5, 0.6])
    for first, second, frames in (
        (varying, steady, (0, 1, 2, 3, 4)), (steady, varying, (0, 1, 4, 5, 6)),
    ):  # fmt: skip
        (clip,) = compare(first, second, tmp_path / "r.html").rows[0].clips
        assert clip.frames == frames
        assert set(clip.scores["psnr"]) == {float("inf")}


def test_memory_does_not_grow_with_the_videos(tmp_path: Path) -> None:
    peaks = []
    for count in (30, 90):
        instants = [index / 100 for index in range(count)]
        first, second = (write(tmp_path / f"{name}.mkv", instants, rate=100) for name in "ab")
        tracemalloc.start()
        compare(first, second, tmp_path / "r.html")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    pictures = 60 * 2 * 64 * 64 * 3  # of what the longer videos have more, as bytes
    assert peaks[1] - peaks[0] < pictures / 5


class Tags(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [tag, *(name for name, _ in attrs)]


def test_names_that_are_html_are_text(tmp_path: Path) -> None:
    first = write(tmp_path / '<marquee>"&.mkv', [0.0, 0.1])
    second = write(tmp_path / '"onerror="alert(1)" \'<b>.mkv', [0.0, 0.1], noise=8)
    compare(first, second, tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text("utf-8")
    assert "&lt;marquee&gt;" in page
    assert not {"marquee", "b", "onerror"} & set(Tags(page).found)


def test_a_video_is_never_replaced_by_a_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    video = str(write(tmp_path / "a.mkv", [0.0, 0.1]))
    before = Path(video).read_bytes()
    assert main(["compare", video, video, "--out", video]) == 2
    assert "expected a name that ends in .html for the report" in capsys.readouterr().err
    assert main(["eval", "--model", "bicubic", "--data", "x", "--html", video]) == 2
    assert main(["bench", "--models", "bicubic", "--html", video]) == 2
    assert Path(video).read_bytes() == before


def test_the_command_prints_scores_and_names_the_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = write(tmp_path / "a.mkv", [0.0, 0.1])
    second = write(tmp_path / "b.mkv", [0.0, 0.1], noise=8)
    out = tmp_path / "r.html"
    arguments = ["compare", str(first), str(second), "--out", str(out)]
    assert main([*arguments, "--offset", "-0.1"]) == 0
    assert "b.mkv: 2" in capsys.readouterr().out
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert "b.mkv: 3" in printed
    assert f"{out}: open it in a browser" in printed
    assert out.exists()
