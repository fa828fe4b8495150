"""Draw docs/models.md: a card for each file of weights that ships, and what was measured of them.

`python -m scripts.draw_models` needs nothing but what is committed: the manifest and its files, the
words in `docs/models.toml`, the pictures of `docs/gallery.md`, and `docs/models.json`, which
`scripts/measure_models.py` writes. Of that, rows count that were measured of the files that ship
now. A test fails when the page is old.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter

from scripts.measure_models import ADAPTER, LINEAR, REAL, Measured, Scored, Timed
from upreel.cli.models import describe_context, describe_scores, read_spec
from upreel.errors import UsageError
from upreel.evaluation.html.plots import plot_front
from upreel.evaluation.pareto import Point, find_front
from upreel.evaluation.protocols import CRFS, find_protocol
from upreel.models.weights import Weights, manifest

DOCS = Path(__file__).parent.parent / "docs"
STYLE = (
    "svg{background:#fff;font-family:system-ui,sans-serif}text{fill:#61656d;font-size:12px}"
    "text.name{fill:#1b1d21;font-size:13px}.grid{stroke:#dfe0dd}"
    ".leader{stroke:#61656d;stroke-width:.8}.dot{fill:#0b6e66}"
    ".front{fill:none;stroke:#0b6e66;stroke-width:1.5;stroke-dasharray:5 4}"
)
FIGURES = {"psnr": "PSNR, dB", "ssim": "SSIM", "tof": "tOF", "warp-difference": "warping error",
           "flicker": "flicker"}  # fmt: skip
"""How metrics are headed."""
HEAD = """# The models that ship

Drawn by `python -m scripts.draw_models` from the manifest, `models.toml` and `models.json`;
`python -m scripts.measure_models DATA` measures the latter anew. Do not edit. What it looks like is
in [gallery.md](gallery.md).

Quality is that of the six validation clips, which no network was trained on, though they chose
between its states: luma, 8 bits, the first 15 frames, a border of 8 ignored; the mean of frames,
then of clips. *Linear* is the best linear filter of 7x7 for each output phase. Lower is better of
these: *tOF*, by how many pixels things move otherwise than in the truth; *warping error*, the mean
square, times 1000, by which the error of a frame differs from the error of the one before, moved
along; *flicker*, by how many levels of 8 bits a pixel changes more or less than in the truth.
Time and memory are of the whole way, from file to file, to about 1280x720, x264 veryfast at CRF 18.
"""


@dataclass(frozen=True, slots=True)
class Words:
    """What nobody can measure of a model.

    Attributes:
        purpose: what it is for.
        limits: what it cannot do.
        failures: names of pictures of the gallery.
    """

    purpose: str
    limits: str
    failures: tuple[str, ...] = ()


def main() -> None:
    """Write the page and its plots."""
    for name, text in compose().items():
        (DOCS / name).parent.mkdir(exist_ok=True)
        (DOCS / name).write_text(text, encoding="utf-8")


def compose() -> dict[str, str]:
    """The page and its plots, by their places in docs."""
    measured = read_measured()
    plots: dict[str, str] = {}
    parts = [HEAD, *describe_machine(measured), "## Quality over time\n"]
    for protocol, scale in find_stated():
        drawn, plot = compare(protocol, scale, measured)
        parts += drawn
        if plot:
            plots[plot_name(protocol, scale)] = plot
    parts += ["## Over the strength of compression\n", *describe_compression(measured)]
    words = read_words()
    sources = list(dict.fromkeys(weights.provenance.trained_on for weights in manifest()))
    parts.append("## Cards\n")
    for weights in manifest():
        if weights.provenance.name not in words:
            raise UsageError(
                f"expected words on {weights.provenance.name} in docs/models.toml, found none: "
                "say what it is for and what it cannot do"
            )
        about = words[weights.provenance.name]
        number = sources.index(weights.provenance.trained_on)
        parts += describe(weights, about, measured, number)
    parts.append("## What they were trained on\n")
    parts += [f"{number}. {text}" for number, text in enumerate(sources, 1)]
    return {"models.md": "\n".join(parts).rstrip() + "\n", **plots}


def read_measured() -> Measured:
    """The measurements of the files that ship now, of filters, and of what is compared."""
    measured = ADAPTER.validate_json((DOCS / "models.json").read_bytes())
    now = {weights.sha256 for weights in manifest()}
    names = {weights.provenance.name for weights in manifest()} | {"linear"}

    def counts(row: Scored | Timed) -> bool:
        return row.sha256 in now or row.model not in names

    return Measured(
        measured.date, measured.processor, measured.cores,
        tuple(filter(counts, measured.scores)), tuple(filter(counts, measured.speeds)),
    )  # fmt: skip


@cache
def read_words() -> dict[str, Words]:
    """What is said of each model by its name."""
    tables = tomllib.loads((DOCS / "models.toml").read_text(encoding="utf-8"))
    return TypeAdapter(dict[str, Words]).validate_python(tables)


def find_stated() -> list[tuple[str, int]]:
    """The protocols and scales that the files of models that enlarge state."""
    headers = [weights.provenance for weights in manifest()]
    return list(dict.fromkeys((p, h.scale) for h in headers if h.scale > 1 for p in h.scores))


def describe_machine(measured: Measured) -> Iterator[str]:
    """Where and when time was measured."""
    if measured.speeds:
        yield (
            f"Time was measured on {measured.date} on {measured.cores} cores of: "
            f"{measured.processor}. Medians of three interleaved runs.\n"
        )


def plot_name(protocol: str, scale: int) -> str:
    """Where a plot lies in docs."""
    return f"models/{protocol}-x{scale}.svg"


def rows_of(protocol: str, scale: int, measured: Measured) -> list[Scored]:
    """What was scored under a protocol, best last."""
    rows = [row for row in measured.scores if (row.protocol, row.scale) == (protocol, scale)]
    return sorted(rows, key=lambda row: row.means["psnr"])


def compare(protocol: str, scale: int, measured: Measured) -> tuple[list[str], str]:
    """The table and the plot of one protocol; the plot is empty where nothing was timed."""
    rows = rows_of(protocol, scale, measured)
    if not rows:
        return [], ""
    speeds = {(row.model, row.scale): row for row in measured.speeds}
    timed = {
        row.model: speed
        for row in rows
        if (speed := speeds.get((row.model.removesuffix(" aligned"), scale)))
    }
    points = [
        Point(row.model, timed[row.model].milliseconds, None, row.means["psnr"])
        for row in rows
        if row.model in timed
    ]
    front = [point.model for point in find_front(points)]
    parts = [f"### {protocol} x{scale}\n", f"{find_protocol(protocol, scale).description}.\n"]
    plot = ""
    if points:
        plot = to_svg(plot_front({p.model: (p.milliseconds, p.psnr) for p in points}, front))
        parts.append(f"![Quality over milliseconds]({plot_name(protocol, scale)})\n")
    header = [
        "model",
        "weights",
        "ms for a frame",
        "all cores, ms",
        "MB",
        *FIGURES.values(),
        "front",
    ]
    parts.append(table(header, [tell(row, timed.get(row.model), front) for row in rows]))
    return parts, plot


def tell(row: Scored, timed: Timed | None, front: Sequence[str]) -> list[str]:
    """A row of the table of a protocol."""
    if timed is None:
        times = ["", "", ""]
    else:
        memory = "" if timed.memory is None else f"{timed.memory / 1e6:.0f}"
        times = [f"{timed.milliseconds:.1f}", f"{timed.cpu:.1f}", memory]
    figures = [f"{row.means[name]:g}" if name in row.means else "" for name in FIGURES]
    weights = f"{row.parameters:,}" if row.parameters else ""
    return [row.model, weights, *times, *figures, "yes" if row.model in front else ""]


def to_svg(plot: str) -> str:
    """A plot as a file of its own."""
    opened = plot.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    return opened.replace(">", f"><style>{STYLE}</style>", 1) + "\n"


def describe_compression(measured: Measured) -> Iterator[str]:
    """How models for compressed video do over CRF, and where they are worse than bicubic."""
    for weights in manifest():
        name, scale = weights.provenance.name, weights.provenance.scale
        if REAL not in weights.provenance.scores or name.startswith(LINEAR):
            continue
        worse: list[str] = []
        some = False
        for coded, crfs in CRFS.items():
            pairs = {crf: find_pair(name, f"val-{coded}{crf}-y8", scale, measured) for crf in crfs}
            found = {crf: pair for crf, pair in pairs.items() if pair}
            if found:
                yield f"### {name} x{scale}, {to_codec(coded)}\n"
                yield set_beside(found)
                some = True
            worse += [
                f"{clip} at CRF {crf} of {to_codec(coded)}, {gain:+.2f} dB"
                for crf, pair in found.items()
                for clip, gain in find_gains(*pair).items()
                if gain < 0
            ]
        if some:
            yield f"Worse than bicubic: {'; '.join(worse) or 'no clip at any of these'}.\n"


def find_pair(
    name: str, protocol: str, scale: int, measured: Measured
) -> tuple[Scored, Scored] | None:
    """What bicubic and a model score under a protocol; `None` where that was not measured."""
    rows = {row.model: row for row in rows_of(protocol, scale, measured)}
    return (rows["bicubic"], rows[name]) if {"bicubic", name} <= rows.keys() else None


def find_gains(bicubic: Scored, ours: Scored) -> dict[str, float]:
    """By how many dB each clip is better than with bicubic, as printed; no zero is negative."""
    return {clip: round(psnr - bicubic.clips[clip], 2) + 0.0 for clip, psnr in ours.clips.items()}


def set_beside(pairs: Mapping[int, tuple[Scored, Scored]]) -> str:
    """The table of a model beside bicubic over CRF."""
    shown = [
        name
        for name in list(FIGURES)[2:]
        if all(name in row.means for pair in pairs.values() for row in pair)
    ]
    lines = []
    for crf, (bicubic, ours) in pairs.items():
        gains = find_gains(bicubic, ours)
        least = min(gains, key=lambda clip: gains[clip])
        psnr = bicubic.means["psnr"], ours.means["psnr"]
        figures = [f"{bicubic.means[name]:g}, {ours.means[name]:g}" for name in shown]
        lines.append(
            [f"{crf}", f"{psnr[0]:.2f}, {psnr[1]:.2f}", f"{psnr[1] - psnr[0]:+.2f}",
             f"{least} {gains[least]:+.2f}", *figures]
        )  # fmt: skip
    others = [f"{FIGURES[name]}: bicubic, ours" for name in shown]
    return table(
        ["CRF", "PSNR: bicubic, ours", "gain, dB", "the clip that gains least", *others], lines
    )


def to_codec(coded: str) -> str:
    """The name of a codec for people."""
    return {"codec": "H.264", "hevc": "H.265"}[coded]


def describe(weights: Weights, about: Words, measured: Measured, source: int) -> Iterator[str]:
    """The card of one file."""
    header = weights.provenance
    arguments = ", ".join(f"{key}={value}" for key, value in header.arguments.items())
    yield f"### {header.name} x{header.scale}\n"
    yield f"{about.purpose.strip()}\n"
    yield f"* **Network**: `{header.network}` ({arguments}), {weights.parameters:,} weights."
    yield f"* **Sees**: {describe_context(read_spec(weights))}."
    yield f"* **File**: `{weights.path.name}`, {weights.bytes:,} bytes, SHA-256 `{weights.sha256}`."
    yield f"* **Data**: see [{source + 1}](#what-they-were-trained-on)."
    yield f"* **Training**: {describe_recipe(header.recipe)}; commit `{header.commit[:10]}`."
    yield f"* **Scores** that the file states: {describe_scores(header.scores)}."
    yield from describe_measured(header.name, header.scale, measured)
    yield f"* **Limits**: {' '.join(about.limits.split())}"
    yield f"* **Licence**: {header.licence}.\n"
    for name in about.failures:
        yield f"![Where it fails: {name}](gallery/{name}.jpg)\n"


def describe_measured(name: str, scale: int, measured: Measured) -> Iterator[str]:
    """The lines of a card that come from measurements."""
    for row in measured.scores:
        if (row.model, row.scale) == (name, scale) and (row.protocol, scale) in find_stated():
            beside = {other.model: other for other in rows_of(row.protocol, scale, measured)}
            gains = ", ".join(
                f"{row.means['psnr'] - beside[other].means['psnr']:+.2f} dB over {other}"
                for other in ("bicubic", "linear")
                if other in beside
            )
            yield f"* **Measured** under `{row.protocol}`: {row.means['psnr']:.2f} dB, {gains}."
    for timed in measured.speeds:
        if (timed.model, timed.scale) == (name, scale):
            width, height = timed.size
            memory = "" if timed.memory is None else f", {timed.memory / 1e6:.0f} MB"
            yield (
                f"* **Speed**: {timed.milliseconds:.1f} ms for a frame of {width}x{height}, "
                f"{1000 / timed.milliseconds:.1f} frames per second{memory}."
            )


def describe_recipe(recipe: str) -> str:
    """How a network was trained, in a line: the whole recipe is in its file."""
    if not recipe.startswith("{"):
        return f"`{recipe}`"
    settings = json.loads(recipe)
    stages = settings.get("stages", [settings])
    steps = sum(stage["steps"] for stage in stages)
    versions = settings.get("data", {}).get("versions", {})
    lows = "" if not versions else f" on {', '.join(versions)}"
    start = settings.get("network", {}).get("init", "")
    after = f", on from `{start}`" if start else ""
    return f"{steps:,} steps in {len(stages)} stage(s){lows}, seed {settings['seed']}{after}"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of Markdown: names to the left, figures to the right."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


if __name__ == "__main__":
    main()
