"""Methods follow one another as they are named; what is known about a scan stays with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from upreel.errors import MediaError, UsageError
from upreel.inference.denoising import NETWORK, denoise, denoise_movie, load_denoiser
from upreel.inference.pipeline import Progress
from upreel.inference.scans import apply_method, denoise_scan
from upreel.models.denoiser import Evidence, ScanDenoiser
from upreel.models.weights import Provenance, save
from upreel.scans.bursts import average, join
from upreel.scans.corrections import correct
from upreel.scans.readers import read_scan
from upreel.scans.registration import combine
from upreel.scans.scan import Heights, Scan
from upreel.scans.writers import write_scan


def burst(frames: int = 4) -> Heights:
    random = np.random.default_rng(0)
    y, x = np.mgrid[:24, :28]
    surface = np.sin(x / 3) * np.cos(y / 4 + x / 9)
    rows = random.normal(0, 0.3, (frames, 24, 1))
    return np.asarray(surface + rows + random.normal(0, 0.1, (frames, 24, 28)), np.float32)


def test_parts_of_a_method_follow_one_another() -> None:
    heights = burst()
    rows = correct(heights, "rows-median+scars")
    wanted = correct(np.stack([combine(rows, n, "median") for n in range(4)]), "plane")
    assert np.array_equal(apply_method(heights, "rows-median+scars+median+plane"), wanted)


def test_a_burst_is_as_wide_as_asked_for() -> None:
    heights = burst()
    wanted = np.stack([combine(heights[max(0, n - 1) :][:2], min(n, 1), "mean") for n in range(4)])
    assert np.array_equal(apply_method(heights, "mean", burst=2), wanted)
    assert np.array_equal(apply_method(heights, "mean", burst=1), heights)


def test_progress_counts_frames() -> None:
    told: list[Progress] = []
    apply_method(burst(), "mean", progress=told.append)
    assert [(p.frames, p.total) for p in told] == [(1, 4), (2, 4), (3, 4), (4, 4)]


@pytest.mark.parametrize("suffix", [".tif", ".npz", ".gwy"])
def test_scale_and_metadata_stay_and_what_was_done_is_noted(tmp_path: Path, suffix: str) -> None:
    scan = Scan(burst(), (1.5, 2.0), "nm", 0.2, "Height", "trace", {"Gain": 3}, "cell.spm")
    source = write_scan(scan, tmp_path / "in.npz")
    result = denoise_scan(source, tmp_path / f"out{suffix}", method="rows-median+mean", burst=3)
    clean = read_scan(result.path)
    assert np.array_equal(clean.heights, apply_method(burst(), "rows-median+mean", burst=3))
    assert clean.pixel_size == pytest.approx(scan.pixel_size)
    assert (clean.unit, clean.frame_time, clean.channel) == ("nm", 0.2, "Height")
    assert (clean.direction, clean.source) == ("trace", "cell.spm")
    assert clean.metadata["Gain"] == 3
    assert str(clean.metadata["denoised by"]).endswith("rows-median+mean, burst of 3")
    again = denoise_scan(result.path, tmp_path / "again.npz", method="plane")
    done = str(again.scan.metadata["denoised by"]).split("; ")
    assert [one.split(", ")[1] for one in done] == ["rows-median+mean", "plane"]


def test_an_unknown_method_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"rows-median, .* found 'smooth'"):
        denoise_scan(tmp_path / "no.npy", tmp_path / "out.npz", method="plane+smooth")


def test_a_preview_that_cannot_be_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected a preview to end in"):
        denoise_scan(tmp_path / "no.npy", tmp_path / "out.npz", preview=tmp_path / "a.gif")


def test_a_source_that_is_not_there_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(MediaError, match="no such file"):
        denoise_scan(tmp_path / "no.npy", tmp_path / "out.npz", method="plane")
    assert not list(tmp_path.iterdir())


def test_a_file_of_weights_is_a_method(tmp_path: Path) -> None:
    weights = tmp_path / "mine.safetensors"
    network = ScanDenoiser(channels=4).eval()
    with torch.no_grad():
        for parameter in network.last.parameters():
            parameter.fill_(0.05)
    facts = Provenance(
        network=NETWORK,
        arguments={"channels": 4},
        name="mine",
        scale=1,
        trained_on="nothing",
        recipe="none",
    )
    save(weights, network, facts)
    wanted = np.stack(list(denoise_movie(burst(), load_denoiser(weights), burst=3)))
    assert np.array_equal(apply_method(burst(), str(weights), burst=3), wanted)
    level = apply_method(burst(), f"{weights}+plane", burst=3)
    assert level == pytest.approx(correct(wanted, "plane"), abs=1e-6)
    with pytest.raises(MediaError, match="at least 3 scans of a place, found 2"):
        apply_method(burst(2), str(weights))


def test_rows_are_aligned_over_the_burst_without_a_network() -> None:
    joined = join(burst()[1:], 1)
    found = apply_method(burst(), "burst-mean", burst=3)
    assert found[2] == pytest.approx(average(joined) + joined.plane)
    with pytest.raises(MediaError, match="at least 2 scans for burst-mean, found 1"):
        apply_method(burst(1), "burst-mean")


def test_a_burst_that_noise_buries_is_shown_with_noise_as_it_was_learned() -> None:
    seen: list[Evidence] = []

    class Spy(ScanDenoiser):
        def forward(self, evidence: Evidence, visible: torch.Tensor) -> torch.Tensor:
            seen.append(evidence)
            return super().forward(evidence, visible)

    network = Spy(channels=4)
    for heights in (burst(6), np.random.default_rng(1).normal(0, 1, (6, 24, 28))):
        joined = join(np.asarray(heights, np.float32), 3)
        assert denoise(joined, network) == pytest.approx(joined.mean + joined.plane, abs=1e-4)
    clear, buried = seen[0], seen[2]
    assert float(clear.mean.std()) == pytest.approx(1, abs=0.01)
    assert float(buried.noise.min()) * 5**0.5 == pytest.approx(0.3)
    assert float(buried.mean.std()) < 0.5
