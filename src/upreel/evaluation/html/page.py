"""The report as one page: tables, plots and pictures, all inside the file."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from importlib import resources
from pathlib import Path

from upreel.core.files import PendingFile, failed
from upreel.errors import UsageError
from upreel.evaluation.html.pictures import Exhibit
from upreel.evaluation.html.plots import plot_lines
from upreel.evaluation.report import DIGITS, UNITS, ClipScore, Report
from upreel.metrics import METRICS


def check_target(target: Path) -> None:
    """Make sure that a page may replace what lies there, before any work.

    Raises:
        UsageError: its name is not that of a page.
    """
    if target.suffix.lower() not in {".html", ".htm"}:
        raise UsageError(f"expected a name that ends in .html for the report, found {target}")


def write(page: str, target: Path) -> Path:
    """Write a page under its final name; a page of that name is replaced.

    Raises:
        UsageError: its name is not that of a page.
        OutputError: it cannot be written.
    """
    check_target(target)
    with PendingFile(target, overwrite=True) as pending:
        try:
            pending.path.write_text(page, encoding="utf-8")
        except OSError as error:
            raise failed(target, error) from error
        return pending.commit()


def render(
    report: Report,
    crops: Sequence[Exhibit] = (),
    profiles: Sequence[Exhibit] = (),
    *,
    notes: Sequence[str] = (),
) -> str:
    """Draw a report.

    Args:
        report: the scores.
        crops: parts of frames, to be compared with a divider.
        profiles: slices through time.
        notes: sentences that a reader has to know before the figures.
    """
    said = [report.description, *notes]
    if report.data:
        said.append(f"Clips: {report.data}")
    said += [f"{metric}: {why}" for metric, why in report.unavailable.items()]
    parts = [
        f"<h1>{escape(report.title)}</h1>",
        *(f"<p>{escape(line)}</p>" for line in said),
        "<h2>Scores</h2>",
        _scores(report),
        *([_parts(report)] if report.groups or report.kinds else []),
        "<h2>PSNR of each frame</h2>",
        *_plots(report),
    ]
    if crops:
        parts.append(
            "<h2>Worst and best frames</h2><p>Drag the divider, or focus it and use the arrow "
            "keys. Each part is where the first and the last picture differ most.</p>"
        )
        parts += [_divider(exhibit) for exhibit in crops]
    if profiles:
        parts.append(
            "<h2>Through time</h2><p>Still things draw smooth vertical lines; flicker shows as "
            "ragged or striped ones.</p>"
        )
        parts += [_slices(exhibit) for exhibit in profiles]
    if any(row.milliseconds for row in report.rows):
        parts += ["<h2>Speed and memory</h2>", _speed(report)]
    parts += ["<h2>Versions</h2>", _versions(report)]
    return page(report.title, "".join(parts))


def page(title: str, body: str) -> str:
    """A whole page around HTML that is escaped already; `title` is not."""
    folder = resources.files("upreel.evaluation.html")
    style, script = (folder.joinpath(f"page.{kind}").read_text("utf-8") for kind in ("css", "js"))
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="icon" href="data:,">'
        f"<title>{escape(title)} - Upreel</title><style>{style}</style></head><body><main>"
        f'<p class="mark">Upreel</p>{body}</main><script>{script}</script></body></html>\n'
    )


def table(header: Sequence[str], rows: Sequence[str]) -> str:
    """A table of rows that are HTML already; the header is not."""
    heads = "".join(f'<th scope="col">{escape(name)}</th>' for name in header)
    top = f"<tr>{heads}</tr>" if any(header) else ""
    return f'<div class="scroll"><table>{top}{"".join(rows)}</table></div>'


def cells(values: Sequence[str], *, kind: str = "", top: Sequence[int] = ()) -> str:
    """A row of a table; `top` are the columns that are the best of all."""
    inner = "".join(
        f"<td{' class=top' if index in top else ''}>{escape(value)}</td>"
        for index, value in enumerate(values)
    )
    return f'<tr class="{kind}">{inner}</tr>'


def _scores(report: Report) -> str:
    metrics = [name for name in report.metrics if any(c.scores[name] for c in report.rows[0].clips)]
    best = {
        name: (max if _rises(name) else min)(row.mean(name) for row in report.rows)
        for name in metrics
    }
    rows = []
    for row in report.rows:
        values = [row.mean(name) for name in metrics]
        shown = [f"{v:.{DIGITS.get(n, 3)}f}" for n, v in zip(metrics, values, strict=True)]
        top = [i + 1 for i, name in enumerate(metrics) if values[i] == best[name]]
        rows.append(cells([row.name, *shown], top=top if len(report.rows) > 1 else ()))
    for entry in report.published:
        shown = [
            f"{entry.scores[n]:.{DIGITS.get(n, 3)}f}" if n in entry.scores else "" for n in metrics
        ]
        rows.append(cells([f"{entry.method} (published)", *shown], kind="published"))
    arrows = [f"{UNITS.get(name, name)} {'↑' if _rises(name) else '↓'}" for name in metrics]
    return table([report.title, *arrows], rows)


def _parts(report: Report) -> str:
    """PSNR of groups of clips, and of given and new frames."""
    rows = [
        cells([label, *(f"{row.mean('psnr', part, frames=kind):.2f}" for part in report.columns)])
        for label, row, kind in report.lines()
    ]
    return table(["PSNR, dB", *(column or "all" for column in report.columns)], rows)


def _rises(metric: str) -> bool:
    """Whether a larger value is better; so it is taken of metrics that only other versions have."""
    return metric not in METRICS or METRICS[metric].higher_is_better


def _plots(report: Report) -> list[str]:
    figures = []
    for clips in zip(*(row.clips for row in report.rows), strict=True):
        series = {row.name: _points(clip) for row, clip in zip(report.rows, clips, strict=True)}
        drawn = plot_lines(series, across="frame", up="PSNR, dB")
        figures.append(f"<figure><h3>{escape(clips[0].clip)}</h3>{drawn}</figure>")
    return figures


def _points(clip: ClipScore) -> list[tuple[float, float]]:
    values = clip.scores.get("psnr", ())
    numbers = clip.frames[len(clip.frames) - len(values) :]
    return [(float(number), value) for number, value in zip(numbers, values, strict=True)]


def _divider(exhibit: Exhibit) -> str:
    count = len(exhibit.pictures)
    start = (0, count - 2 if count > 2 else count - 1)
    images = "".join(
        f'<img class="{"left" if i == start[0] else "right" if i == start[1] else ""}" '
        f'src="{picture.uri}" width="{picture.size[0]}" height="{picture.size[1]}" '
        f'alt="{escape(picture.label)}">'
        for i, picture in enumerate(exhibit.pictures)
    )
    choices = "".join(
        f'<select aria-label="{side}">'
        + "".join(
            f'<option value="{i}"{" selected" if i == chosen else ""}>{escape(picture.label)}'
            "</option>"
            for i, picture in enumerate(exhibit.pictures)
        )
        + "</select>"
        for side, chosen in zip(("left picture", "right picture"), start, strict=True)
    )
    return (
        f'<figure class="compare"><h3>{escape(exhibit.title)}</h3>'
        f"<figcaption>{escape(exhibit.caption)}</figcaption>"
        f'<div class="sides">{choices}</div><div class="stage">{images}<div class="bar"></div>'
        '<input type="range" min="0" max="100" step="1" value="50" aria-label="divider">'
        "</div></figure>"
    )


def _slices(exhibit: Exhibit) -> str:
    images = "".join(
        f"<div>{escape(picture.label)}"
        f'<img src="{picture.uri}" width="{picture.size[0]}" height="{picture.size[1]}" '
        f'alt="{escape(picture.label)} through time"></div>'
        for picture in exhibit.pictures
    )
    return (
        f"<figure><h3>{escape(exhibit.title)}</h3>"
        f'<figcaption>{escape(exhibit.caption)}</figcaption><div class="slices">{images}</div>'
        "</figure>"
    )


def _speed(report: Report) -> str:
    rows = [
        cells(
            [
                row.name,
                f"{row.milliseconds:.1f}" if row.milliseconds else "-",
                f"{row.memory / 1e6:.0f}" if row.memory else "-",
                f"{row.parameters:,}" if row.parameters else "-",
            ]
        )
        for row in report.rows
    ]
    return table(["", "ms for a frame", "memory, MB", "parameters"], rows)


def _versions(report: Report) -> str:
    return table(["", ""], [cells([name, text]) for name, text in report.versions.items()])
