"""Compare methods against the noise of scans on simulated movies; prints a table in Markdown.

    python scripts/measure_scans.py [--movies 20] [--moving] [--all] [--only TEXT ...]

The best classical correction and the best combination are chosen by these movies themselves, which
is in their favour.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import cast

import torch

from upreel.evaluation.scans import (
    CHAINS,
    ScanScores,
    align_burst,
    baselines,
    mean_scores,
    score_methods,
    simulated_movies,
    take_best,
    with_network,
)
from upreel.inference.denoising import load_denoiser
from upreel.models.rbpn import RBPN
from upreel.models.weights import build
from upreel.training.pseudo_truth import denoise_with_rbpn


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--movies", type=int, default=20)
    parser.add_argument("--moving", action="store_true", help="molecules wander about")
    parser.add_argument("--all", action="store_true", help="print every chain, not the best ones")
    parser.add_argument("--only", nargs="+", default=[""], help="methods with this in their names")
    parser.add_argument("--network", type=Path, help="weights in place of those that ship")
    parser.add_argument("--rbpn", type=Path, help="weights that the recipe rbpn-afm made")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    methods = dict(baselines())
    methods["the scan that yasue32/afm-denoise takes for the truth"] = take_best
    if arguments.rbpn:
        rbpn = cast(RBPN, build(arguments.rbpn))
        methods["RBPN trained on such scans"] = partial(denoise_with_rbpn, rbpn)
    methods["rows aligned over the burst, mean (ours, no network)"] = align_burst
    methods["burst Noise2Noise (ours, `denoise:afm`)"] = with_network(
        load_denoiser(arguments.network)
    )
    methods = {
        name: method
        for name, method in methods.items()
        if any(part in name for part in arguments.only)
    }
    movies = simulated_movies(arguments.movies, moving=arguments.moving)
    scores = {name: mean_scores(all_) for name, all_ in score_methods(methods, movies).items()}
    print("| method | PSNR, dB | SSIM | stripe score | row offsets | Sq |")
    print("|---|---|---|---|---|---|")
    for name, score in _shown(scores, everything=arguments.all):
        print(
            f"| {name} | {score.psnr:.2f} | {score.ssim:.3f} | {score.stripes:.4f} "
            f"| {score.row_offsets:.5f} | {score.roughness:.3f} |"
        )


def _shown(scores: dict[str, ScanScores], *, everything: bool) -> list[tuple[str, ScanScores]]:
    """The rows of the table: all of them from worst to best, or the best of each kind."""
    if everything:
        return sorted(scores.items(), key=lambda item: item[1].psnr)
    combined = [name for name in scores if ", then " in name]
    kinds = [[name] for name in scores if name not in CHAINS and name not in combined]
    kinds[1:1] = [[name for name in CHAINS if name in scores]]
    kinds[4:4] = [combined]
    best = [max(kind, key=lambda name: scores[name].psnr) for kind in kinds if kind]
    return [(name, scores[name]) for name in best]


if __name__ == "__main__":
    main()
