"""The command: `python -m fuzz TARGET --seconds 60`, from the root of the project."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from fuzz.media import CHILD, fuzz_media, serve
from fuzz.targets import PLANTED, RUN, TARGETS, fuzz_python, run_atheris


def main() -> int:
    """Returns the exit status: 1 where something was found."""
    if sys.argv[1:] == [CHILD]:
        serve()
        return 0
    if sys.argv[1:2] == [RUN]:
        run_atheris(sys.argv[2], Path(sys.argv[3]), sys.argv[4:])
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("target", choices=["media", *TARGETS, PLANTED])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--files", type=int, help="stop after as many")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("out/fuzz"), help="where findings go")
    chosen = parser.parse_args()
    out: Path = chosen.out / chosen.target
    out.mkdir(parents=True, exist_ok=True)
    if chosen.target == "media":
        report = fuzz_media(out, seconds=chosen.seconds, seed=chosen.seed, files=chosen.files)
        print(report)
        return int(bool(report.findings))
    return fuzz_python(
        chosen.target, out, seconds=chosen.seconds, seed=chosen.seed, files=chosen.files
    )


if __name__ == "__main__":
    sys.exit(main())
