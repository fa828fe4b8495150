"""`place` brings real scores and the times of runs together."""

from __future__ import annotations

from pathlib import Path

import pytest

import upreel.evaluation.bench
import upreel.evaluation.quality
from tests.video.media import write_video
from upreel.errors import UsageError
from upreel.evaluation.bench import Case, Timing
from upreel.evaluation.evaluate import score
from upreel.evaluation.protocols import find_protocol
from upreel.evaluation.quality import FRAMES, place
from upreel.models.weights import load

SECONDS = {"bicubic": 0.48, "lanczos": 0.96}


@pytest.fixture
def clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One tiny clip, a place for results, and runs that take what they are told."""

    def run(case: Case, source: Path) -> Timing:
        return Timing(case.frames, SECONDS.get(case.model, 9.6), {}, 7_000_000)

    monkeypatch.setattr(upreel.evaluation.bench, "run_apart", run)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "clips"
    folder.mkdir()
    write_video(folder / "clip.mp4", 2, size=(64, 48))
    return folder


def test_each_model_has_its_own_score_and_time(clips: Path) -> None:
    told: list[str] = []
    points, title = place(
        "lanczos, bicubic", clips / "clip.mp4", clips, "val-bi-y8",
        repetitions=1, progress=told.append,
    )  # fmt: skip
    assert title.startswith("val-bi-y8 x4 on clips, ")
    found = {point.model: point for point in points}
    assert list(found) == ["lanczos", "bicubic"]
    for name, seconds in SECONDS.items():
        upscaler = load(name, 4)
        report = score({name: upscaler}, find_protocol("val-bi-y8"), clips)
        assert found[name].psnr == pytest.approx(report[name].psnr)
        assert found[name].milliseconds == pytest.approx(1000 * seconds / FRAMES)
        assert found[name].memory == 7_000_000
    assert title.endswith("320x180 to 1280x720")
    assert found["bicubic"].psnr != found["lanczos"].psnr
    assert told == [
        "quality of lanczos, bicubic", "lanczos 320x180, run 1 of 1", "bicubic 320x180, run 1 of 1"
    ]  # fmt: skip


def test_all_are_those_of_this_scale(clips: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"bicubic": (2, 3, 4), "half": (2,), "lanczos": (4,)}
    monkeypatch.setattr(upreel.evaluation.quality, "known", lambda: known)
    points, _ = place("all", clips / "clip.mp4", clips, "val-bi-y8", repetitions=1)
    assert [point.model for point in points] == ["bicubic", "lanczos"]


def test_other_scales_come_to_about_the_same_size(clips: Path) -> None:
    told: list[str] = []
    points, title = place(
        "bicubic", clips / "clip.mp4", clips, "val-bi-y8",
        scale=3, repetitions=1, progress=told.append,
    )  # fmt: skip
    assert title == "val-bi-y8 x3 on clips, time from file to file 426x240 to 1278x720"
    assert told[-1] == "bicubic 426x240, run 1 of 1"
    report = score({"bicubic": load("bicubic", 3)}, find_protocol("val-bi-y8", 3), clips)
    assert points[0].psnr == pytest.approx(report["bicubic"].psnr)


@pytest.mark.parametrize(
    ("models", "protocol", "message"),
    [("swift:none", "val-bi-y8", "swift:none"), ("bicubic", "psnr", "a protocol out of")],
)
def test_what_does_not_exist_is_refused(
    clips: Path, models: str, protocol: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        place(models, clips / "clip.mp4", clips, protocol)
