"""What the name of an output means, and whether something may be written there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from upreel.core.files import PendingFile
from upreel.errors import OutputError, UsageError
from upreel.video.encoding import CONTAINERS
from upreel.video.images import SUFFIXES

ImageTarget = Literal["folder", "pattern", "image"]

_NUMBER = re.compile(r"%0?\d*d")
_NAMES_IN_FOLDER = "%06d.png"


def image_target(target: str | Path) -> ImageTarget | None:
    """What kind of images a target means; `None`: it means a video file.

    A folder that exists, a name that ends in a slash or has no extension: a folder. A name with a
    number of printf (`%05d.png`): a pattern. A name that ends like an image: one image.
    """
    path = Path(target)
    if path.is_dir() or str(target).endswith(("/", "\\")) or not path.suffix:
        return "folder"
    if _NUMBER.search(path.name):
        return "pattern"
    return "image" if path.suffix.lower() in SUFFIXES else None


def image_names(target: Path, kind: ImageTarget) -> tuple[Path, str]:
    """The folder of the images and the pattern of their names."""
    if kind == "folder":
        return target, _NAMES_IN_FOLDER
    return target.absolute().parent, target.name


def names_like(pattern: str) -> re.Pattern[str]:
    """The names of images that a pattern stands for."""
    match = _NUMBER.search(pattern)
    if match is None:
        return re.compile(re.escape(pattern))
    before, after = pattern[: match.start()], pattern[match.end() :]
    return re.compile(rf"{re.escape(before)}\d+{re.escape(after)}")


def check_place(path: Path, kind: ImageTarget | None, source: Path, *, overwrite: bool) -> None:
    """Find out whether something may and can be written to a path.

    Args:
        path: of the output.
        kind: what it means.
        source: path of the input.
        overwrite: whether existing files may be replaced.

    Raises:
        UsageError: it is the input, exists, or is no name.
        OutputError: its folder does not exist or cannot be written to.
    """
    endings = {*CONTAINERS, *SUFFIXES}
    if path.name == "-" or (path.name.lower() in endings and not path.is_dir()):
        raise UsageError(
            f"expected a file or a folder as the output, found {path.name!r}, which is no name. "
            "Name it such as out.mp4."
        )
    if kind is None or kind == "image":
        _check_file(path, source, overwrite=overwrite)
        folder = path.absolute().parent
    else:
        folder, names = image_names(path, kind)
        _check_folder(folder, names, source, overwrite=overwrite)
        folder = folder if folder.is_dir() else folder.absolute().parent
    if not folder.is_dir():
        raise OutputError(f"The folder {folder} does not exist. Make it first, or name another.")
    with PendingFile(folder / (path.resolve().name or "out")):  # `.` has no name
        pass  # it can be written to


def _check_file(path: Path, source: Path, *, overwrite: bool) -> None:
    if not path.exists():
        return
    if source.exists() and path.samefile(source):
        raise UsageError(f"{path} is the input itself. Name another file for the output.")
    if not path.is_file():
        raise UsageError(f"{path} is not a regular file. Name another file for the output.")
    if not overwrite:
        raise UsageError(f"{path} exists already. Name another file, or pass --overwrite.")


def _check_folder(folder: Path, names: str, source: Path, *, overwrite: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise UsageError(
            f"{folder} is not a folder. Name a folder for images, or a video such as out.mp4."
        )
    if not folder.is_dir():
        return
    place = source if source.is_dir() else source.absolute().parent
    images = not source.is_file() or source.suffix.lower() in SUFFIXES
    if images and place.is_dir() and folder.samefile(place):
        raise UsageError(f"{folder} is the folder of the input. Name another one for the output.")
    like = names_like(names)
    if not overwrite and any(like.fullmatch(file.name) for file in folder.iterdir()):
        raise UsageError(
            f"{folder} holds images named {names} already. Name another folder, or pass "
            "--overwrite."
        )
