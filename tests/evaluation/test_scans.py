"""Methods against the noise of scans: what they promise on movies whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from upreel.evaluation.scans import (
    ScanScores,
    align_burst,
    baselines,
    mean_scores,
    score_methods,
    score_scan,
    simulated_movies,
    take_best,
    with_network,
)
from upreel.models.denoiser import ScanDenoiser


def test_the_truth_scores_as_the_truth() -> None:
    truth = simulated_movies(1)[0].truth[0]
    y, x = np.mgrid[:128, :128].astype(np.float32)
    scores = score_scan(truth + np.float32(0.01) * x - np.float32(0.02) * y + 5, truth)
    assert scores.psnr > 80
    assert scores.ssim == pytest.approx(1, abs=1e-4)
    assert scores.roughness == pytest.approx(1, abs=1e-4)
    assert scores.row_offsets == pytest.approx(0, abs=1e-6)


def test_offsets_of_rows_are_parts_of_the_roughness() -> None:
    truth = simulated_movies(1)[0].truth[0]
    offsets = np.random.default_rng(0).normal(0, 0.3 * truth.std(), (128, 1)).astype(np.float32)
    assert score_scan(truth + offsets, truth).row_offsets == pytest.approx(0.09, rel=0.25)


def test_means_are_taken_over_movies() -> None:
    one, two = ScanScores(10, 0.5, 0.1, 0.2, 0.9), ScanScores(20, 0.7, 0.3, 0.4, 1.1)
    means = mean_scores([one, two])
    assert (means.psnr, means.ssim, means.roughness) == pytest.approx((15, 0.6, 1.0))
    assert (means.stripes, means.row_offsets) == pytest.approx((0.2, 0.3))


def test_a_mean_of_ten_gains_nearly_ten_decibels_and_aligned_rows_more() -> None:
    wanted = ("base frame", "registered mean", "registered median")
    methods = {name: method for name, method in baselines() if name in wanted}
    assert set(methods) == set(wanted)
    methods["aligned"] = align_burst
    methods["network"] = with_network(ScanDenoiser(channels=4))
    movies = simulated_movies(2)
    scores = {name: mean_scores(all_) for name, all_ in score_methods(methods, movies).items()}
    gain = scores["registered mean"].psnr - scores["base frame"].psnr
    assert 8 < gain < 12
    assert abs(scores["registered median"].psnr - scores["registered mean"].psnr) < 3
    assert scores["aligned"].psnr > max(scores[name].psnr for name in wanted)
    assert scores["network"].psnr == pytest.approx(scores["aligned"].psnr, abs=1)


def test_the_best_scan_of_a_burst_comes_to_where_the_base_lies() -> None:
    movie = simulated_movies(3)[2]
    taken = take_best(movie.heights, 5)
    assert taken.shape == (128, 128)
    assert not np.isnan(taken).any()
    # A scan like any other, chosen for few stripes; its noise is all there.
    gain = (
        score_scan(taken, movie.truth[5]).psnr - score_scan(movie.heights[5], movie.truth[5]).psnr
    )
    assert -3 < gain < 9


def test_every_chain_is_there_alone_and_on_both_sides_of_mean_and_median() -> None:
    names = [name for name, _ in baselines()]
    assert len(names) == len(set(names)) == 1 + 15 + 2 * (1 + 2 * 15)
    assert {"scars", "rows-median+scars, then median", "mean, then rows-modus"} <= set(names)
