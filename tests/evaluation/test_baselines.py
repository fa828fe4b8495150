from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.video.media import write_video
from upreel.evaluation import baselines
from upreel.evaluation.baselines import FITTED, find_baselines, fit_linear, linear_name
from upreel.evaluation.evaluate import evaluate
from upreel.evaluation.protocols import find_protocol
from upreel.models.linear import Linear
from upreel.models.upscaler import Window
from upreel.models.weights import read


def test_bicubic_is_aligned_where_the_degradation_shifts() -> None:
    plain = find_baselines(find_protocol("val-bi-y8"))
    shifted = find_baselines(find_protocol("val-bd-duf-y8"))
    assert plain["bicubic"] is plain["bicubic aligned"]
    ramp = torch.arange(64.0).expand(64, 64)[None, None, None] / 64
    enlarged, _ = shifted["bicubic aligned"].step(Window(ramp[..., ::4, ::4]), {})
    assert torch.allclose(enlarged[..., 12:-12], ramp[..., 12:-12], atol=1e-6)


@pytest.mark.parametrize(("name", "scale"), FITTED)
def test_the_linear_filter_that_ships_keeps_flat_areas(name: str, scale: int) -> None:
    linear = find_baselines(find_protocol(name, scale))["linear"]
    grey = torch.full((1, 1, 1, 9, 9), 0.75)
    enlarged, _ = linear.step(Window(grey), {})
    assert torch.allclose(enlarged, torch.tensor(0.75), atol=0.5 / 255)


def test_a_scale_that_was_not_fitted_has_no_linear_row() -> None:
    assert list(find_baselines(find_protocol("val-bi-y8", 3))) == ["bicubic", "bicubic aligned"]


def test_what_is_fitted_beats_bicubic_where_it_was_fitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "index.tsv").write_text(
        "split\tname\tkind\thalve\tlicence\tsource\n"
        "train\ta.mp4\tvideo\t1\tCC0\tus\nval\ta.mp4\tvideo\t1\tCC0\tus\n"
    )
    for split in ("train", "val"):
        (tmp_path / split).mkdir()
        write_video(tmp_path / split / "a.mp4", 8, size=(96, 80), options={"crf": "5"})
    (tmp_path / "weights").mkdir()
    monkeypatch.setattr(baselines, "folder", lambda: tmp_path / "weights")
    protocol = find_protocol("val-bd-duf-y8")
    path = fit_linear(protocol, tmp_path)
    provenance, tensors = read(path)
    assert path.name == "linear-bd-x4.safetensors"
    assert provenance.name == linear_name(protocol) == "linear:bd"
    assert provenance.trained_on == "a.mp4 (CC0, us)"
    fitted = Linear(4)
    fitted.load_state_dict(tensors)
    report = evaluate({"fitted": fitted}, protocol, tmp_path)
    assert [row.name for row in report.rows] == ["bicubic", "bicubic aligned", "linear", "fitted"]
    assert report["bicubic"].psnr < report["bicubic aligned"].psnr < report["fitted"].psnr
    assert [clip.clip for clip in report.rows[0].clips] == ["a.mp4"]
