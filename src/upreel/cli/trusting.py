"""The options that say how far an input is trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from upreel.video.trust import Trust

MaxPixels = Annotated[
    int | None,
    typer.Option(
        min=1,
        help="Refuse larger frames (width times height): a small file can claim a huge one.",
        show_default="67108864",
    ),
]
AllPixels = Annotated[
    int,
    typer.Option(
        "--max-pixels",
        min=1,
        help="Refuse a scan that claims more, in all of its frames together.",
    ),
]
Protocols = Annotated[
    str | None,
    typer.Option(
        metavar="NAME,...",
        help="FFmpeg's protocols by which a video may be reached, such as https,tls,tcp; with "
        "'file', a playlist (.m3u8, ffconcat) may name files in its own folder.",
        show_default="none",
    ),
]


def trusting(max_pixels: int | None, protocols: str | None) -> Trust:
    """What the options say together."""
    from upreel.video.trust import MAX_PIXELS, Trust

    names = (name.strip().lower() for name in (protocols or "").split(","))
    return Trust(max_pixels or MAX_PIXELS, tuple(name for name in names if name))
