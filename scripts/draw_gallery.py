"""Draw parts of real clips before and after, with what is said of each: docs/gallery.md.

    python scripts/draw_gallery.py DATA [--only NAME ...]

DATA has the folders `train` and `val` that `docs/gallery.toml` names clips of; `sample` is the clip
that comes with the package. With `--only`, other pictures and their figures stay as they are.
"""

from __future__ import annotations

import argparse
import json
import math
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import TypeAdapter

from upreel.data.clips import Clip
from upreel.data.degradations import Codes, degrade, parse_chain, to_codes
from upreel.evaluation.evaluate import run
from upreel.evaluation.pairs import Frames, read_rgb
from upreel.inference.stages import Stages
from upreel.models.weights import folder, load

DOCS = Path(__file__).parent.parent / "docs"
WIDTH = 300
"""Of each picture of a row, pixels."""
HEAD = """# What it looks like

Drawn by `scripts/draw_gallery.py` from `docs/gallery.toml`. Each row is one part of one frame,
enlarged by bicubic interpolation, by the model that is named, and, where we made the small clip, as
it was before. PSNR is that of the part in RGB. A network has seen the eleven frames before too.
Pixels are shown larger without smoothing.

*Unseen* clips are validation clips (or the sample), which no network was trained on. *Seen* ones
are training clips: a row of one is in favour of the network. Four of the six validation clips may
not be shown, as their licences allow research only; they count in every table of
[models.md](models.md).
"""


@dataclass(frozen=True, slots=True)
class Show:
    """One row of pictures.

    Attributes:
        name: of its file.
        title: above it.
        text: what there is to see.
        clip: its place in the data; `sample` for the one of the package.
        credit: licence and source.
        start: the first frame that the network sees.
        frames: how many it sees; the last one is shown.
        box: left, top, width and height in the result; without left and top, where the network
            loses most to bicubic.
        seen: whether the network was trained on the clip.
        halve: by how much the clip is reduced first.
        spin: degrees by which the first frame is turned from frame to frame, in place of a clip
            that moves.
        chain: how the clip is made small; as it is if empty, and then there is no truth.
        model: which.
        scale: of it.
        failure: whether this is shown for what goes wrong.
    """

    name: str
    title: str
    text: str
    clip: str
    credit: str
    start: int
    box: tuple[int, ...]
    seen: bool
    frames: int = 12
    halve: int = 1
    spin: float = 0.0
    chain: str = "codec24"
    model: str = "swift:real"
    scale: int = 4
    failure: bool = False


def read(show: Show, data: Path) -> Codes:
    """The frames of a clip: RGB, `(T, 3, H, W)`; sides are multiples of the scale."""
    path = folder().parent / "sample" / "sample.mp4" if show.clip == "sample" else data / show.clip
    frames = islice(read_rgb(Clip(path.name, path, show.halve)), show.start, None)
    found = np.stack(list(islice(frames, show.frames if not show.spin else 1)))
    if show.spin:
        found = np.stack([turn(found[0], show.spin * index) for index in range(show.frames)])
    height, width = (side // show.scale * show.scale for side in found.shape[-2:])
    return found[..., :height, :width]


def turn(frame: Codes, degrees: float) -> Codes:
    """Turn a frame `(3, H, W)` around its middle, mirrored at its border."""
    _, height, width = frame.shape
    matrix = cv2.getRotationMatrix2D((width / 2 - 0.5, height / 2 - 0.5), degrees, 1.0)
    turned = cv2.warpAffine(
        np.ascontiguousarray(frame.transpose(1, 2, 0)), matrix, (width, height),
        flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT,
    )  # fmt: skip
    return np.asarray(turned, np.uint8).transpose(2, 0, 1)


def enlarge(show: Show, high: Codes) -> dict[str, Codes]:
    """The last frame, by who made it."""
    low = degrade(high, parse_chain(show.chain), scale=show.scale) if show.chain else high
    found = {}
    for model in ("bicubic", show.model):
        *_, last = run(load(model, show.scale), Frames(low), 0.0, Stages())
        found[model] = to_codes(last * 255)
    return found | ({"truth": high[-1]} if show.chain else {})


def find_box(show: Show, made: Mapping[str, Codes]) -> tuple[int, int, int, int]:
    """The part that is shown."""
    if len(show.box) == 4:
        left, top, width, height = show.box
        return left, top, width, height
    bicubic, ours = (_errors(made[name], made["truth"]) for name in ("bicubic", show.model))
    width, height = show.box
    sums = cv2.boxFilter(ours - bicubic, -1, (width, height), anchor=(0, 0))
    inside = sums[: sums.shape[0] - height + 1, : sums.shape[1] - width + 1]
    top, left = divmod(int(inside.argmax()), inside.shape[1])
    return left, top, width, height


def _errors(frame: Codes, truth: Codes) -> NDArray[np.float32]:
    errors: NDArray[np.float32] = ((frame.astype(np.float32) - truth) ** 2).mean(0)
    return errors


def draw(show: Show, data: Path) -> dict[str, float | None]:
    """Write the pictures of a row beside each other; return what each scores."""
    made = enlarge(show, read(show, data))
    left, top, width, height = find_box(show, made)
    parts = {name: part[:, top : top + height, left : left + width] for name, part in made.items()}
    size = (WIDTH, round(WIDTH * height / width))
    pictures = [
        cv2.resize(
            np.ascontiguousarray(part.transpose(1, 2, 0)), size, interpolation=cv2.INTER_NEAREST
        )
        for part in parts.values()
    ]
    gap = np.full((size[1], 6, 3), 255, np.uint8)
    row = np.hstack([each for picture in pictures for each in (gap, picture)][1:])
    quality = [cv2.IMWRITE_JPEG_QUALITY, 90, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x111111]
    coded = cv2.imencode(".jpg", np.ascontiguousarray(row[..., ::-1]), quality)[1]
    (DOCS / "gallery" / f"{show.name}.jpg").write_bytes(coded.tobytes())
    truth = parts.pop("truth", None)
    return {name: None if truth is None else measure(part, truth) for name, part in parts.items()}


def measure(part: Codes, truth: Codes) -> float:
    """PSNR in RGB, dB."""
    return round(10 * math.log10(255**2 / float(_errors(part, truth).mean())), 2)


def describe(show: Show, scores: Mapping[str, float | None]) -> Iterator[str]:
    """The lines of a row."""
    labels = [f"{name}, {psnr:.2f} dB" if psnr else name for name, psnr in scores.items()]
    if show.chain:
        labels.append("before")
    made = f"made small by `{show.chain}`, " if show.chain else "the file as it is, "
    yield f"### {show.title}\n"
    yield f"![{' | '.join(labels)}](gallery/{show.name}.jpg)\n"
    yield f"{' | '.join(labels)}\n"
    yield (
        f"{show.text} (*{'seen' if show.seen else 'unseen'}*: `{Path(show.clip).name}`, "
        f"{show.credit}; {'halved, ' if show.halve > 1 else ''}{made}x{show.scale})\n"
    )


def main() -> None:
    """Draw the pictures, then the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--only", nargs="*")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    text = (DOCS / "gallery.toml").read_text(encoding="utf-8")
    shows = TypeAdapter(tuple[Show, ...]).validate_python(tomllib.loads(text)["shows"])
    kept = DOCS / "gallery" / "scores.json"
    before = json.loads(kept.read_text()) if kept.exists() else {}
    scores = {show.name: before[show.name] for show in shows if show.name in before}
    for show in shows:
        if arguments.only is None or show.name in arguments.only:
            scores[show.name] = draw(show, arguments.data)
            print(show.name, scores[show.name], flush=True)
            kept.write_text(json.dumps(scores, indent=2) + "\n")
    (DOCS / "gallery.md").write_text(compose(shows, scores), encoding="utf-8")


def compose(shows: Sequence[Show], scores: Mapping[str, Mapping[str, float | None]]) -> str:
    """The page."""
    parts = [HEAD]
    for heading, failure in (("Before and after", False), ("Where it fails", True)):
        rows = [show for show in shows if show.failure == failure and show.name in scores]
        parts += [f"## {heading}\n", *(line for s in rows for line in describe(s, scores[s.name]))]
    return "\n".join(parts)


if __name__ == "__main__":
    main()
