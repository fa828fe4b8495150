"""How the public data sets lie on the disk once they are unpacked."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from upreel.data.datasets.index import Entry, Part
from upreel.data.datasets.splits import split
from upreel.errors import MediaError

log = logging.getLogger(__name__)

REDS4 = ("000", "011", "015", "020")
"""Clips of REDS's training part that papers test on (EDVR, section 4.1)."""
REDS_FRAMES = 100
VID4 = {"calendar": 41, "city": 34, "foliage": 49, "walk": 47}
UDM10_FRAMES = 32
SPMCS_FRAMES = 31
"""As its authors say; one of the sequences in RBPN's lists, NYVTG_006, has 35."""
GROUPS = ("fast", "medium", "slow")
GROUPS_PAGE = "https://github.com/alterzero/RBPN-PyTorch"
IMAGES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"}
VIDEOS = {".avi", ".mp4", ".mkv", ".mov", ".webm", ".y4m"}

Layout = Callable[[Path, int, Sequence[int]], list[Entry]]
"""From the folder, a seed, and shares of train, val and test (where authors name none)."""


def find_vimeo90k(root: Path, seed: int, shares: Sequence[int]) -> list[Entry]:
    """Septuplets `sequences/00001/0001/im1.png` to `im7.png`, and their lists.

    `target` in place of `sequences` will do, and so will the test clips with their list alone.

    Raises:
        MediaError: as every layout, where something is missing.
    """
    home = next((name for name in ("sequences", "target") if (root / name).is_dir()), "sequences")
    tests = _lines(root, "sep_testlist.txt")
    train = "sep_trainlist.txt"
    names: dict[Part, list[str]] = {
        "train": _lines(root, train) if (root / train).is_file() else [],
        "test": tests,
    }
    groups = _read_groups(root, set(tests))
    entries = []
    for part, chosen in names.items():
        for name in chosen:
            images = (f"{home}/{name}/im{number}.png" for number in range(1, 8))
            missing = next((image for image in images if not _is_whole(root / image)), None)
            if missing:
                raise _incomplete(root, missing)
            group = groups.get(name, "") if part == "test" else ""
            entries.append(Entry(name, f"{home}/{name}", part, group))
    return entries


def _read_groups(root: Path, tests: set[str]) -> dict[str, str]:
    """Clips by how much moves in them; the authors' archives are without these lists."""
    files = {group: f"{group}_testset.txt" for group in GROUPS}
    missing = [file for file in files.values() if not (root / file).is_file()]
    if missing:
        log.warning(
            "no %s in %s, so that scores are not told apart by motion: get these lists from "
            "the folder vimeo90k of %s",
            ", ".join(missing), root, GROUPS_PAGE,
        )  # fmt: skip
    groups: dict[str, str] = {}
    for group, file in files.items():
        names = [] if file in missing else _lines(root, file)
        unknown = [name for name in names if name not in tests]
        if unknown:
            log.warning(
                "%s names %d clips that sep_testlist.txt does not, such as %s: they are left out",
                file, len(unknown), unknown[0],
            )  # fmt: skip
        groups.update(dict.fromkeys(names, group))
    return groups


def find_reds(root: Path, seed: int, shares: Sequence[int]) -> list[Entry]:
    """`train_sharp/000` to `239` (REDS4 is for tests), and the official validation clips.

    These may be missing. They are `val_sharp/000` to `029`, or `train_sharp/240` to `269` where
    the set was regrouped for BasicSR or KAIR.
    """
    train, val = (
        f"{part}/{folder}" if (root / part / folder).is_dir() else folder
        for part, folder in (("train", "train_sharp"), ("val", "val_sharp"))
    )
    paths = {f"train-{number:03}": f"{train}/{number:03}" for number in range(240)}
    if (root / val).is_dir():
        paths |= {f"val-{number:03}": f"{val}/{number:03}" for number in range(30)}
    elif any((root / train / f"{number}").is_dir() for number in range(240, 270)):
        paths |= {f"val-{number:03}": f"{train}/{number + 240}" for number in range(30)}
    entries = []
    for name, path in paths.items():
        _count_images(root, path, REDS_FRAMES)
        part, number = name.split("-")
        if part == "train" and number in REDS4:
            entries.append(Entry(name, path, "test", "reds4"))
        else:
            entries.append(Entry(name, path, "train" if part == "train" else "val"))
    return entries


def find_vid4(root: Path, seed: int, shares: Sequence[int]) -> list[Entry]:
    """`GT/calendar/*.png`, `calendar/truth/*.png` or `calendar/*.png`, and so on."""
    paths = _find_frames(root)
    for name, frames in VID4.items():
        if name not in paths:
            raise MediaError(
                f"expected {name} in {root} as {_ways(name)}, found none; "
                "unpack the whole data set there"
            )
        _count_images(root, paths[name], frames)
    return [Entry(name, paths[name], "test") for name in VID4]


def find_udm10(root: Path, seed: int, shares: Sequence[int]) -> list[Entry]:
    """`NAME/truth/*.png`, `GT/NAME/*.png` or `NAME/*.png`: 10 clips of 32 frames."""
    return _find_benchmark(root, (10,), UDM10_FRAMES)


def find_spmcs(root: Path, seed: int, shares: Sequence[int]) -> list[Entry]:
    """As UDM10: 30 clips of 31 frames, or the 32 that RBPN's lists name."""
    return _find_benchmark(root, (30, 32), SPMCS_FRAMES)


def _find_benchmark(root: Path, counts: Sequence[int], frames: int) -> list[Entry]:
    paths = _find_frames(root)
    if len(paths) not in counts:
        expected = " or ".join(str(count) for count in counts)
        raise MediaError(
            f"expected {expected} clips in {root} as {_ways('NAME')}, found {len(paths)}; "
            "unpack the whole data set there"
        )
    for path in paths.values():
        _count_images(root, path, frames)
    return [Entry(name, path, "test") for name, path in paths.items()]


def _find_frames(root: Path) -> dict[str, str]:
    """Where the frames of each clip of a benchmark are; one folder may have several layouts."""
    home = root / "GT" if (root / "GT").is_dir() else root
    paths = {}
    for folder in sorted(home.iterdir()):
        truth = folder / "truth"
        frames = truth if truth.is_dir() else folder
        if frames.is_dir() and any(file.suffix.lower() in IMAGES for file in frames.iterdir()):
            paths[folder.name] = frames.relative_to(root).as_posix()
    return paths


def _ways(name: str) -> str:
    return f"GT/{name}/*.png, {name}/truth/*.png or {name}/*.png"


def find_ucf101(root: Path, seed: int, shares: Sequence[int]) -> list[Entry]:
    """`UCF-101/CLASS/v_X.avi`, and split 1 in `ucfTrainTestlist`."""
    entries = []
    lists: tuple[tuple[Part, str], ...] = (("train", "trainlist01.txt"), ("test", "testlist01.txt"))
    for part, file in lists:
        for line in _lines(root, f"ucfTrainTestlist/{file}"):
            name = line.split()[0]
            if not _is_whole(root / "UCF-101" / name):
                raise _incomplete(root, f"UCF-101/{name}")
            entries.append(Entry(name, f"UCF-101/{name}", part, name.split("/")[0]))
    return entries


def find_hmdb51(root: Path, seed: int, shares: Sequence[int]) -> list[Entry]:
    """`CLASS/X.avi`, and split 1 in `testTrainMulti_7030_splits/CLASS_test_split1.txt`.

    The classes may lie in `hmdb51_org`, after the name of their archive.
    """
    home = "hmdb51_org/" if (root / "hmdb51_org").is_dir() else ""
    entries = []
    end = "_test_split1.txt"
    lists = sorted((root / "testTrainMulti_7030_splits").glob(f"*{end}"))
    if not lists:
        raise _incomplete(root, f"testTrainMulti_7030_splits/CLASS{end}")
    parts: dict[str, Part] = {"1": "train", "2": "test"}
    for file in lists:
        group = file.name.removesuffix(end)
        for line in _lines(root, f"{file.parent.name}/{file.name}"):
            name, _, mark = line.strip().rpartition(" ")
            if not name:
                raise MediaError(f"expected 'NAME 1' in {file}, found {line!r}; unpack it again")
            if mark not in parts:
                continue  # 0: in neither part of this split
            path = f"{home}{group}/{name}"
            if not _is_whole(root / path):
                raise _incomplete(root, path)
            entries.append(Entry(f"{group}/{name}", path, parts[mark], group))
    return entries


def find_folder(root: Path, seed: int, shares: Sequence[int]) -> list[Entry]:
    """Any videos and folders of images, at any depth, divided at random by clip."""
    paths = sorted(path.relative_to(root).as_posix() for path in _clips_below(root, set()))
    if not paths:
        raise MediaError(f"expected videos or folders of images in {root}, found none")
    names: tuple[Part, ...] = ("train", "val", "test")
    divided = split(paths, seed, parts=dict(zip(names, shares, strict=True)))
    return [Entry(path, path, part) for part, chosen in divided.items() for path in chosen]


def _clips_below(folder: Path, seen: set[Path]) -> Iterator[Path]:
    if (real := folder.resolve()) in seen:
        return  # a link that leads back would be followed for ever
    seen.add(real)
    entries = [path for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
    for path in entries:
        if path.is_dir():
            if _images(path):
                yield path
            else:
                yield from _clips_below(path, seen)
        elif path.suffix.lower() in VIDEOS:
            yield path


LAYOUTS: dict[str, Layout] = {
    "vimeo90k": find_vimeo90k,
    "reds": find_reds,
    "vid4": find_vid4,
    "spmcs": find_spmcs,
    "udm10": find_udm10,
    "ucf101": find_ucf101,
    "hmdb51": find_hmdb51,
    "folder": find_folder,
}


def _lines(root: Path, name: str) -> list[str]:
    if not (root / name).is_file():
        raise _incomplete(root, name)
    try:
        text = (root / name).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise MediaError(f"expected text in {root / name}, found {error.reason}") from error
    return [line.strip() for line in text.split("\n") if line.strip()]


def _count_images(root: Path, path: str, least: int) -> None:
    folder = root / path
    found = _images(folder) if folder.is_dir() else 0
    if found < least:
        raise MediaError(
            f"expected {least} images in {folder}, found {found}; unpack the whole data set there"
        )


def _images(folder: Path) -> int:
    """How many there are; hidden files, such as `._1.png`, are none."""
    files = (file for file in folder.iterdir() if file.suffix.lower() in IMAGES)
    return sum(not file.name.startswith(".") and _is_whole(file) for file in files)


def _is_whole(file: Path) -> bool:
    """Whether there is something in a file: where the disk was full, there is nothing."""
    return file.is_file() and file.stat().st_size > 0


def _incomplete(root: Path, name: str) -> MediaError:
    return MediaError(f"expected {name} in {root}, found none; unpack the whole data set there")
