"""Two upscalers one after the other, scored as the field scores space-time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from upreel.cli import main
from upreel.data.datasets.index import Entry, Index, write_index
from upreel.errors import UsageError
from upreel.evaluation.colors import Colored
from upreel.evaluation.evaluate import check_fit, count_parameters, evaluate, run
from upreel.evaluation.protocols import find_protocol
from upreel.evaluation.relay import Relay, as_relay, load_relay
from upreel.evaluation.results import Results, fingerprint
from upreel.inference.stages import Stages
from upreel.models.averaging import Average, Repeat
from upreel.models.bicubic import Bicubic, Lanczos
from upreel.models.compact import Compact
from upreel.models.interpolator import Between
from upreel.models.upscaler import Spec, State, Window
from upreel.ops.color import rgb_to_ycbcr
from upreel.ops.resize import imresize


def draw(frames: int, step: int) -> list[NDArray[np.uint8]]:
    """A texture that moves by `step` pixels from frame to frame, RGB."""
    noise = np.random.default_rng(step).random((16, 40, 3)).astype(np.float32)
    wide = np.clip(cv2.resize(noise, (160, 64), interpolation=cv2.INTER_CUBIC), 0, 1)
    texture = np.round(wide * 255).astype(np.uint8)
    return [texture[:, step * t : step * t + 64] for t in range(frames)]


def write(folder: Path, name: str, frames: list[NDArray[np.uint8]]) -> None:
    (folder / name).mkdir(parents=True)
    for number, frame in enumerate(frames):
        cv2.imwrite(str(folder / name / f"{number}.png"), frame[..., ::-1])


def luma_psnr(output: Tensor, truth: NDArray[np.uint8]) -> float:
    """As papers have it: RGB in 8 bits, then Y in studio range of 0..255."""
    weights = np.array([65.481, 128.553, 24.966]) / 255
    rounded = (output * 255).round().clamp(0, 255).permute(1, 2, 0).double().numpy()
    error = (rounded - truth) @ weights
    return float(10 * np.log10(255**2 / np.mean(error**2)))


def test_septuplets_are_scored_by_speed_and_by_what_was_given(tmp_path: Path) -> None:
    clips = {"a": draw(7, 8), "b": draw(7, 1), "c": draw(7, 6)}
    for name, frames in clips.items():
        write(tmp_path, name, frames)
    groups = {"a": "fast", "b": "slow", "c": "fast"}
    entries = tuple(Entry(name, name, "test", group) for name, group in groups.items())
    write_index(tmp_path, Index("vimeo90k", "none", "its page", entries))
    report = evaluate({"repeat+lanczos": Relay((Repeat(), Lanczos(4)))},
                      find_protocol("stvsr-vimeo"), tmp_path)  # fmt: skip
    assert [row.name for row in report.rows] == [
        "repeat+bicubic", "average+bicubic", "average+linear", "repeat+lanczos",
    ]  # fmt: skip
    assert (report.groups, report.kinds) == (("fast", "slow"), ("given", "new"))
    assert all(clip.frames == tuple(range(7)) for clip in report.rows[0].clips)
    # The four odd ones of seven, counted from one, are given; means are enlarged means.
    expected: dict[str, list[float]] = {"given": [], "new": []}
    for name in "ac":
        low = [
            imresize(torch.from_numpy(frame.copy()).permute(2, 0, 1).double() / 255, 1 / 4)
            for frame in clips[name][::2]
        ]
        low = [(frame * 255).round().clamp(0, 255) / 255 for frame in low]
        high = [imresize(frame, 4) for frame in low]
        pairs = pairwise(high)
        expected["given"].append(
            np.mean([luma_psnr(h, t) for h, t in zip(high, clips[name][::2], strict=True)]).item()
        )
        expected["new"].append(
            np.mean(
                [
                    luma_psnr((a + b) / 2, t)
                    for (a, b), t in zip(pairs, clips[name][1::2], strict=True)
                ]
            ).item()
        )
    row = report["average+bicubic"]
    assert row.mean("psnr", "fast", frames="given") == pytest.approx(
        np.mean(expected["given"]), abs=0.02
    )
    assert row.mean("psnr", "fast", frames="new") == pytest.approx(
        np.mean(expected["new"]), abs=0.02
    )
    held = report["repeat+bicubic"]
    assert held.mean("psnr", frames="given") == row.mean("psnr", frames="given")
    assert held.mean("psnr", frames="new") < row.mean("psnr", frames="new")
    assert report.gain(row, "average+bicubic") == 0


def test_every_stage_sees_what_the_one_before_has_made() -> None:
    low = list(torch.rand(3, 3, 6, 7))
    compact = Compact(2, channels=4, layers=1).eval().requires_grad_(False)
    made = list(run(Relay((Average(), compact, Bicubic(2))), low, 0.0, Stages()))
    between = [low[0], (low[0] + low[1]) / 2, low[1], (low[1] + low[2]) / 2, low[2], low[2]]
    expected = run(Relay((compact, Bicubic(2))), between, 0.0, Stages())
    for one, other in zip(made, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=0)


class Shift:
    """An interpolator that says that everything came from `dx` pixels to the right before."""

    spec = Spec(1, "luma", rate=2, future=1)

    def step(self, window: Window, state: State) -> tuple[Tensor, State]:
        raise AssertionError("its luma alone is not enough")

    def between(self, window: Window, instants: Sequence[float]) -> list[Between]:
        assert tuple(instants) == (0.5,)
        clip = window.clip
        flow = torch.zeros(len(clip), 2, 2, *clip.shape[-2:])
        flow[:, 0, 0], flow[:, 1, 0] = 1, -2
        weight = torch.full((len(clip), 1, *clip.shape[-2:]), 0.25)
        return [Between(clip[:, 0] * 0 + 0.5, flow, weight, 0 * weight)]


def test_chroma_of_new_frames_follows_the_flow_of_luma() -> None:
    clip = torch.rand(1, 2, 3, 5, 9)
    made, _ = Colored(Shift()).step(Window(clip, future=1), {})
    assert torch.equal(made[:, 0], clip[:, 0])
    before, after = rgb_to_ycbcr(clip, "smpte170m", "tv", 8)[0]
    new = rgb_to_ycbcr(made[0, 1], "smpte170m", "tv", 8)
    torch.testing.assert_close(new[0], torch.full((5, 9), 0.5))
    chroma = 0.25 * before[1:, :, 3:8] + 0.75 * after[1:, :, 0:5]
    torch.testing.assert_close(new[1:, :, 2:7], chroma, atol=1e-5, rtol=0)


def test_it_is_known_by_all_of_its_stages(tmp_path: Path) -> None:
    one, other = (Relay((Average(), bicubic)) for bicubic in (Bicubic(4), Bicubic(4, phase=-1.5)))
    assert fingerprint(one) == fingerprint(Relay((Average(), Bicubic(4))))
    marks = {fingerprint(each) for each in (one, other, Relay((Repeat(), Bicubic(4))), Bicubic(4))}
    assert len(marks) == 4
    assert fingerprint(Relay((Shift(), Bicubic(4)))) == ""  # what is no module is not known
    compact = Compact(4, channels=4, layers=1)
    assert count_parameters(Relay((compact, Average()))) == count_parameters(compact)
    write(tmp_path / "clips", "a", draw(3, 2))
    kept = Results(tmp_path / "kept")
    found = [evaluate({"it": one}, find_protocol("stvsr-vid4"), tmp_path / "clips", results=kept)
             for _ in range(2)]  # fmt: skip
    assert found[0]["it"].clips == found[1]["it"].clips
    assert found[0]["it"].clips[0].frames == (0, 1, 2)


def test_scales_and_rates_multiply() -> None:
    relay = Relay((Average(), Bicubic(4)))
    assert (relay.scale, relay.rate, relay.views) == (4, 2, 1)
    check_fit("it", relay, find_protocol("stvsr-vid4"))
    with pytest.raises(UsageError, match="but it gives x4, 2 frame"):
        check_fit("it", relay, find_protocol("vid4-bi-y"))
    assert as_relay(relay) is relay
    loaded = load_relay("average+bicubic", 4)
    assert isinstance(loaded, Relay)
    assert [type(stage) for stage in loaded.stages] == [Average, Bicubic]
    assert isinstance(load_relay("lanczos", 2), Lanczos)
    with pytest.raises(UsageError, match=r"expected a model out of .* found 'averag'"):
        load_relay("averag+bicubic", 4)


def test_the_command_takes_two_with_a_plus(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write(tmp_path / "clips", "a", draw(3, 2))
    models = ["--model", "average+lanczos", "--model", "lanczos+average"]
    arguments = ["--data", str(tmp_path / "clips"), "--protocol", "stvsr-vid4", "--json"]
    assert main(["eval", *models, *arguments]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [row["name"] for row in rows[-2:]] == ["average+lanczos", "lanczos+average"]
    first, second = (np.array(row["clips"][0]["scores"]["psnr"]) for row in rows[-2:])
    assert first == pytest.approx(second, abs=0.05)  # both are linear, but for the rounding
