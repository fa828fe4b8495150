from __future__ import annotations

from pathlib import Path

import pytest

from tests.video.media import write_video
from upreel.evaluation.evaluate import evaluate
from upreel.evaluation.linear_fit import fit_linear
from upreel.evaluation.protocols import find_protocol
from upreel.models.weights import build, read


def test_what_is_fitted_beats_bicubic_where_it_was_fitted(tmp_path: Path) -> None:
    (tmp_path / "index.tsv").write_text(
        "split\tname\tkind\thalve\tlicence\tsource\n"
        "train\ta.mp4\tvideo\t1\tCC0\tus\nval\ta.mp4\tvideo\t1\tCC0\tus\n"
    )
    for split in ("train", "val"):
        (tmp_path / split).mkdir()
        write_video(tmp_path / split / "a.mp4", 8, size=(96, 80), options={"crf": "5"})
    protocol = find_protocol("val-bd-duf-y8")
    path = fit_linear(protocol, tmp_path, tmp_path)
    provenance, _ = read(path)
    assert path.name == "linear-bd-x4.safetensors"
    assert (provenance.name, provenance.trained_on) == ("linear:bd", "a.mp4 (CC0, us)")
    report = evaluate({"fitted": build(path)}, protocol, tmp_path)
    assert [row.name for row in report.rows] == ["bicubic", "bicubic aligned", "linear", "fitted"]
    assert report["bicubic"].psnr < report["bicubic aligned"].psnr < report["fitted"].psnr
    assert provenance.scores["val-bd-duf-y8"]["psnr"] == pytest.approx(
        report["fitted"].psnr, abs=0.05
    )
    assert [clip.clip for clip in report.rows[0].clips] == ["a.mp4"]
