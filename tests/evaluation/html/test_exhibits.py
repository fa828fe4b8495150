"""The report of an evaluation, made of real frames."""

from __future__ import annotations

import base64
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio

from tests.video.media import write_video
from upreel.evaluation.evaluate import evaluate
from upreel.evaluation.html.exhibits import SHOWN, to_rgb, write_report
from upreel.evaluation.html.pictures import Rgb
from upreel.evaluation.protocols import find_protocol
from upreel.models.bicubic import Lanczos
from upreel.models.upscaler import Upscaler

PROTOCOL = find_protocol("val-bi-y8", 2)


def pictures(page: str, figure: str) -> dict[str, Rgb]:
    """The pictures of the first figure whose text has `figure`, by their labels."""
    (inside, *_) = (part for part in page.split("<figure") if figure in part)
    found = re.findall(r'src="data:image/png;base64,([^"]+)"[^>]* alt="([^"]*)"', inside)
    decoded = {}
    for data, label in found:
        bgr = cv2.imdecode(np.frombuffer(base64.b64decode(data), np.uint8), cv2.IMREAD_COLOR)
        assert bgr is not None
        decoded[label] = bgr[..., ::-1].astype(np.uint8)
    return decoded


@pytest.fixture
def clips(tmp_path: Path) -> Path:
    """Clips of one size, one more than the report shows pictures of."""
    folder = tmp_path / "clips"
    folder.mkdir()
    for index in range(SHOWN + 1):
        write_video(
            folder / f"{index}.mp4", 3 + index, size=(72, 56), options={"crf": f"{9 * index}"}
        )
    return folder


def test_a_report_shows_what_was_scored(clips: Path, tmp_path: Path) -> None:
    upscalers: dict[str, Upscaler] = {"lanczos": Lanczos(2)}
    report = evaluate(upscalers, PROTOCOL, clips)
    page = write_report(report, upscalers, PROTOCOL, clips, tmp_path / "r.html").read_text("utf-8")
    leader = report.leader
    ordered = sorted(leader.clips, key=lambda clip: clip.mean("psnr"))
    shown = re.findall(r'<figure class="compare"><h3>([^<]+)', page)
    assert list(dict.fromkeys(shown)) == [ordered[index].clip for index in (0, 2, 3)]
    for row in report.rows:
        assert f"<td>{row.name}</td>" in page
    assert "Speed and memory" in page
    crops = pictures(page, "worst frame")
    assert list(crops)[-2:] == [leader.name, "truth"]
    assert {*crops} == {*(row.name for row in report.rows), "truth"}
    inner = (slice(8, -8), slice(8, -8))
    found = [crops[name][inner][..., 0].astype(float) for name in ("truth", leader.name)]
    # The pictures stretch luma of studio range to 8 bits: errors are 255 / 219 of those scored,
    # and rounded once more.
    psnr = peak_signal_noise_ratio(  # type: ignore[no-untyped-call]
        *found, data_range=255 * 255 / 219
    )
    assert psnr == pytest.approx(min(ordered[0].scores["psnr"]), abs=0.25)
    slices = pictures(page, "time runs downwards")
    assert {picture.shape[1] for picture in slices.values()} == {72}


def test_a_frame_is_shown_as_rgb() -> None:
    luma = torch.tensor([[[16, 126, 235, 255]]]) / 255
    assert to_rgb(luma)[0].tolist() == [[0] * 3, [128] * 3, [255] * 3, [255] * 3]
    rgb = torch.tensor([1.0, 0.5, -0.1]).reshape(3, 1, 1)
    assert to_rgb(rgb)[0, 0].tolist() == [255, 128, 0]
