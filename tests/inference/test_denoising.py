"""Denoising of movies: units, planes, masks, lengths, and files of weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from upreel.data.scan_simulator import Settings, simulate_scan
from upreel.errors import MediaError, WeightsError
from upreel.inference.denoising import (
    NETWORK,
    denoise,
    denoise_movie,
    find_changes,
    load_denoiser,
    weigh,
)
from upreel.models.compact import Compact
from upreel.models.denoiser import ScanDenoiser
from upreel.models.weights import Provenance, save
from upreel.scans.bursts import join

PROVENANCE = Provenance(
    network=NETWORK, arguments={"channels": 4}, name="denoise:test", scale=1, trained_on="nothing",
    recipe="none",
)  # fmt: skip


def some_network() -> ScanDenoiser:
    torch.manual_seed(1)
    network = ScanDenoiser(channels=4)
    torch.nn.init.normal_(network.last.weight, std=0.1)
    return network.eval()


def test_an_untrained_network_returns_the_mean_in_nanometres_with_its_plane() -> None:
    scan = simulate_scan((32, 40), 4, index=1)
    burst = join(scan.heights, 1)
    output = denoise(burst, ScanDenoiser(channels=4))
    assert output.dtype == np.float32
    assert output == pytest.approx(burst.mean + burst.plane, abs=1e-4)


def test_units_do_not_matter() -> None:
    heights = simulate_scan((32, 40), 3, index=2).heights
    network = some_network()
    in_nm = denoise(join(heights, 1), network)
    in_m = denoise(join(heights * np.float32(1e-9), 1), network)
    assert in_m == pytest.approx(in_nm * 1e-9, abs=1e-4 * 1e-9 * float(np.abs(in_nm).max()))


def test_each_row_is_made_without_looking_at_it() -> None:
    heights = simulate_scan((32, 40), 3, index=3).heights
    burst, network = join(heights, 1), some_network()
    burst.spread[:] = 9 * burst.noise  # the base is asked everywhere
    output = denoise(burst, network)
    burst.shown[11, ::8] += 0.1
    changed = denoise(burst, network) != output
    assert not changed[11].any()
    assert changed[10].any()
    assert changed[12].any()


def test_where_the_others_agree_the_base_is_not_asked() -> None:
    still = simulate_scan((64, 64), 10, seed=1, index=1)
    moving = simulate_scan((64, 64), 10, seed=1, index=1, settings=Settings(moving=1.0))
    assert find_changes(join(still.heights, 5)).mean() < 0.1
    changes = find_changes(join(moving.heights, 5))
    away = np.abs(moving.truth - moving.truth[5]).max(0) > 0.5 * moving.truth.std()
    assert changes[away].mean() > 2 * changes.mean()


def test_a_flat_burst_stays_flat() -> None:
    output = list(denoise_movie(np.full((3, 16, 16), 2.5, np.float32), some_network()))
    assert np.isfinite(output).all()
    assert np.stack(output) == pytest.approx(2.5, abs=1e-3)


def test_movies_of_any_length(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, int]] = []

    def note(heights: np.ndarray[tuple[int, ...], np.dtype[np.float32]], base: int) -> object:
        seen.append((int(heights[0, 0, 0]), base))
        return heights[base]

    monkeypatch.setattr("upreel.inference.denoising.join", note)
    monkeypatch.setattr("upreel.inference.denoising.denoise", lambda burst, network: burst)
    movie = np.arange(7, dtype=np.float32)[:, None, None] * np.ones((1, 2, 2), np.float32)
    output = list(denoise_movie(movie, some_network(), burst=4))
    assert [int(frame[0, 0]) for frame in output] == list(range(7))
    assert seen == [(0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (3, 2), (3, 3)]
    with pytest.raises(MediaError, match="expected at least 3 scans of a place, found 2"):
        list(denoise_movie(movie[:2], some_network()))


def test_weights_there_and_back(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save(path, some_network(), PROVENANCE)
    seen, _ = weigh(join(simulate_scan((16, 16), 3).heights, 1))
    visible = torch.ones(1, 1, 16, 1)
    expected = some_network()(seen, visible)
    assert torch.allclose(load_denoiser(path)(seen, visible), expected, atol=1e-2)


def test_weights_that_do_not_fit(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    other = PROVENANCE.model_copy(update={"network": "compact"})
    save(path, Compact(scale=2), other)
    with pytest.raises(WeightsError, match=r"expected weights of a scan-denoiser .* a compact"):
        load_denoiser(path)
    save(path, some_network(), PROVENANCE.model_copy(update={"arguments": {"channels": 5}}))
    with pytest.raises(WeightsError, match="does not fit the network scan-denoiser"):
        load_denoiser(path)
