from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from upreel.data.clips import Clip
from upreel.evaluation.protocols import find_protocol
from upreel.evaluation.report import ClipScore
from upreel.evaluation.results import Results, clip_fingerprint, fingerprint
from upreel.models.bicubic import Bicubic, Lanczos
from upreel.models.compact import Compact
from upreel.models.upscaler import Spec, State, Window

SCORE = ClipScore("a", (0, 1), {"psnr": (30.0, float("inf")), "tof": (0.1,)}, (4, 4), 0.5, 2, 7)
PROTOCOL = find_protocol("val-bi-y8")


def test_scores_come_back_as_they_were(tmp_path: Path) -> None:
    Results(tmp_path).keep("model", "clip", PROTOCOL, SCORE)
    assert Results(tmp_path).find("model", "clip", PROTOCOL) == SCORE


def test_whatever_a_score_depends_on_tells_it_from_others(tmp_path: Path) -> None:
    results = Results(tmp_path)
    results.keep("model", "clip", PROTOCOL, SCORE)
    assert results.find("other", "clip", PROTOCOL) is None
    assert results.find("model", "other", PROTOCOL) is None
    assert results.find("model", "clip", find_protocol("val-bi-y8", 2)) is None


def test_a_damaged_file_is_as_good_as_none(tmp_path: Path) -> None:
    results = Results(tmp_path)
    results.keep("model", "clip", PROTOCOL, SCORE)
    (file,) = tmp_path.rglob("*.json")
    file.write_text("{")
    assert results.find("model", "clip", PROTOCOL) is None


def test_an_upscaler_is_known_by_its_numbers() -> None:
    network = Compact(2, channels=4, layers=1)
    before = fingerprint(network)
    assert fingerprint(network) == before
    with torch.no_grad():
        next(network.parameters()).flatten()[0] += 1
    assert fingerprint(network) != before
    filters = (Bicubic(2), Bicubic(4), Bicubic(4, phase=-1.5), Lanczos(4))
    assert len({fingerprint(upscaler) for upscaler in filters}) == 4


def test_what_is_no_module_is_not_known() -> None:
    class Other:
        spec = Spec(2, "luma")

        def step(self, window: Window, state: State) -> tuple[torch.Tensor, State]:
            return window.middle, state

    assert fingerprint(Other()) == ""


def test_a_clip_is_known_by_the_content_of_its_files(tmp_path: Path) -> None:
    file = tmp_path / "0.png"
    file.write_bytes(b"12")
    clip = Clip("a", tmp_path)
    mark = clip_fingerprint(clip)
    os.utime(file, ns=(1, 1))
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "0.png").write_bytes(b"12")
    assert clip_fingerprint(clip) == clip_fingerprint(Clip("a", tmp_path / "copy")) == mark
    marks = {mark, clip_fingerprint(Clip("a", tmp_path, halve=2))}
    file.write_bytes(b"13")
    os.utime(file, ns=(1, 1))
    marks.add(clip_fingerprint(clip))
    file.rename(tmp_path / "1.png")
    marks.add(clip_fingerprint(clip))
    assert len(marks) == 4


def test_other_weights_of_a_perceptual_metric_give_other_scores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UPREEL_CACHE", str(tmp_path / "weights"))
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "alexnet.pth").write_bytes(b"1")
    results = Results(tmp_path / "results")
    results.keep("model", "clip", PROTOCOL, SCORE)
    assert results.find("model", "clip", PROTOCOL) == SCORE
    (tmp_path / "weights" / "alexnet.pth").write_bytes(b"22")
    assert results.find("model", "clip", PROTOCOL) is None
