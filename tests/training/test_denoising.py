"""Noise2Noise for scans: what is compared, what is never shown, and that it learns and resumes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from upreel.data.scan_simulator import simulate_scan
from upreel.inference.denoising import denoise
from upreel.metrics.scans import scan_psnr
from upreel.models.denoiser import Evidence
from upreel.scans.bursts import join
from upreel.training.denoising import (
    Batch,
    DenoiserRecipe,
    Pool,
    compare_hidden,
    make_sample,
    train_denoiser,
)

TINY = DenoiserRecipe(
    channels=4, movies=2, bases=1, size=32, steps=4, save_every=2, validate_every=3
)


def batch(recorded: torch.Tensor, visible: torch.Tensor) -> Batch:
    nothing = torch.zeros_like(recorded)
    evidence = Evidence(*[nothing] * 6)
    count = len(recorded)
    return Batch(evidence, visible, recorded, torch.full((count,), 0.1), torch.full((count,), 0.5))


def test_only_hidden_rows_are_compared() -> None:
    visible = (torch.arange(8) % 2).float().view(1, 1, -1, 1)
    recorded = torch.zeros(1, 1, 8, 16)
    seen_only = recorded + visible * torch.randn(1, 1, 8, 16)
    assert compare_hidden(seen_only, batch(recorded, visible), rows=1) == 0
    hidden = recorded + (1 - visible)
    assert compare_hidden(hidden, batch(recorded, visible), rows=1) > 0


def test_offsets_of_rows_count_apart_from_pixels() -> None:
    nothing = torch.zeros(1, 1, 4, 9)
    seen = batch(nothing, torch.zeros(1, 1, 4, 1))
    assert compare_hidden(nothing + 0.3, seen, rows=0) == pytest.approx(0, abs=1e-6)
    limit = 2 * 0.5 / 0.1
    offset = limit**2 * ((1 + (3 / limit) ** 2) ** 0.5 - 1)
    assert compare_hidden(nothing + 0.3, seen, rows=0.5).item() == pytest.approx(0.5 * offset)
    tilted = nothing + 0.3 * torch.linspace(-1, 1, 9)
    spikes = nothing.clone()
    spikes[..., 4] = 0.3
    assert compare_hidden(tilted, seen, rows=0) < 1e-6 < compare_hidden(spikes, seen, rows=0)


def test_a_scar_counts_little_more_than_its_length() -> None:
    nothing = torch.zeros(1, 1, 4, 64)
    seen = batch(nothing, torch.zeros(1, 1, 4, 1))
    small, large = nothing.clone(), nothing.clone()
    small[0, 0, 1, 8:12], large[0, 0, 1, 8:12] = 1, 10
    ratio = compare_hidden(large, seen, rows=0) / compare_hidden(small, seen, rows=0)
    assert ratio < 20  # squares would say 100


def test_samples_are_scans_as_they_were_recorded() -> None:
    movie = simulate_scan((32, 40), 5, index=1)
    burst = join(movie.heights, 2)
    sample = make_sample(burst)
    scale = float(burst.mean.std())
    assert sample.maps.shape == (7, 32, 40)
    assert sample.maps[6].numpy() == pytest.approx(burst.base / scale, abs=5e-3)
    assert sample.noise == pytest.approx(burst.noise / scale)
    assert 0.01 < sample.rows < 3


def test_batches_are_the_same_each_time_and_hide_whole_rows() -> None:
    pool = Pool(TINY)
    one, again, other = pool.draw(3), Pool(TINY).draw(3), pool.draw(4)
    assert torch.equal(one.recorded, again.recorded)
    assert not torch.equal(one.recorded, other.recorded)
    assert one.visible.shape == (2, 1, 32, 1)
    for visible in torch.cat([pool.draw(step).visible for step in range(8)])[:, 0, :, 0]:
        assert visible.sum().item() in {0, 16}
        assert not (visible[1:] * visible[:-1]).any()


def test_a_run_that_was_stopped_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    whole = train_denoiser(TINY, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        train_denoiser(TINY, tmp_path / "part", progress=interrupt)  # when it is told of step 3
    lines: list[str] = []
    resumed = train_denoiser(TINY, tmp_path / "part", progress=lines.append)
    assert lines[0] == "goes on from step 2"
    for key, value in whole.state_dict().items():
        assert torch.equal(resumed.state_dict()[key], value), key
    lines = (tmp_path / "whole" / "metrics.jsonl").read_text().splitlines()
    figures = [json.loads(line) for line in lines]
    assert [one["step"] for one in figures] == [1, 2, 3, 4]
    assert "psnr" in figures[2]


def interrupt(line: str) -> None:
    raise KeyboardInterrupt


@pytest.mark.slow
def test_it_learns_without_clean_scans(tmp_path: Path) -> None:
    movie = simulate_scan((64, 64), 10, seed=9, index=1)
    burst = join(movie.heights, 5)
    before = scan_psnr(np.asarray(burst.mean), movie.truth[5])
    recipe = DenoiserRecipe(channels=8, movies=10, bases=1, size=64, steps=150, batch=2)
    network = train_denoiser(recipe, tmp_path)
    assert scan_psnr(denoise(burst, network), movie.truth[5]) > before + 0.3
