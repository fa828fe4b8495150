"""Where data sets come from, and from a download to an index."""

from __future__ import annotations

import logging
import stat
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from upreel.core.download import Progress, checksum, download
from upreel.core.files import failed
from upreel.data.datasets.index import NAME, Index, read_index, write_index
from upreel.data.datasets.layouts import LAYOUTS
from upreel.errors import MediaError, UsageError

log = logging.getLogger(__name__)

_INFLATED = 100
"""How many times larger an archive may be when it is unpacked: pictures hardly are."""
# Names without a letter, or in no encoding, are more than zipfile expects.
_DAMAGED = (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, ValueError, IndexError)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a data set comes from.

    Attributes:
        page: where its authors offer it.
        licence: as they put it.
        archive: a zip file with a direct address; empty where there is none.
        sha256: of the archive; empty where its authors publish none.
        tests: an archive of the test clips alone.
    """

    page: str
    licence: str
    archive: str = ""
    sha256: str = ""
    tests: str = ""


_UNSTATED = "none stated; for research"
ORIGINS = {
    "vimeo90k": Origin(
        "http://toflow.csail.mit.edu",
        "none stated; the videos belong to those who made them",
        "http://data.csail.mit.edu/tofu/dataset/vimeo_septuplet.zip",
        tests="http://data.csail.mit.edu/tofu/testset/vimeo_test_clean.zip",
    ),
    "reds": Origin("https://seungjunnah.github.io/Datasets/reds.html", "CC BY 4.0"),
    "vid4": Origin(
        "https://github.com/open-mmlab/mmagic/tree/main/tools/dataset_converters/vid4", _UNSTATED
    ),
    "spmcs": Origin("https://github.com/jiangsutx/SPMC_VideoSR", _UNSTATED),
    "udm10": Origin("https://github.com/psychopa4/PFNL", _UNSTATED),
    "ucf101": Origin("https://www.crcv.ucf.edu/data/UCF101.php", _UNSTATED),
    "hmdb51": Origin(
        "https://serre-lab.clps.brown.edu/resource/hmdb-a-large-human-motion-database/",
        "CC BY 4.0",
    ),
    "folder": Origin("your own", "your own"),
}


def prepare(
    dataset: str, root: Path, *, seed: int = 0, shares: Sequence[int] = (70, 15, 15)
) -> Index:
    """Check how a data set lies on the disk, and write its index.

    Args:
        dataset: one of `ORIGINS`.
        root: its folder.
        seed: of the split of a `folder`.
        shares: of train, val and test in a `folder`.

    Raises:
        UsageError: there is no such data set, or another has its index there.
        MediaError: something is missing.
        OutputError: the index cannot be written.
    """
    origin = origin_of(dataset)
    _refuse_other(dataset, root)
    if not root.is_dir():
        raise MediaError(f"expected a folder with {dataset} in {root}, found none; {origin.page}")
    entries = LAYOUTS[dataset](root, seed, shares)
    index = Index(
        dataset, origin.licence, origin.page, tuple(sorted(entries, key=lambda e: e.name))
    )
    write_index(root, index)
    return index


def origin_of(dataset: str) -> Origin:
    """Where a data set comes from.

    Raises:
        UsageError: there is no such data set.
    """
    if dataset not in ORIGINS:
        raise UsageError(f"expected one of {', '.join(ORIGINS)}, found {dataset!r}")
    return ORIGINS[dataset]


def fetch(
    dataset: str, root: Path, *, test_only: bool = False, progress: Progress | None = None
) -> None:
    """Download an archive into a folder and unpack it there.

    Args:
        dataset: one of `ORIGINS`.
        root: its folder; it is made.
        test_only: take the archive of the test clips, which is smaller.
        progress: see `core.download`.

    Raises:
        UsageError: there is no such data set, it has no direct address, or another has its index
            there.
        DownloadError: it cannot be fetched.
        MediaError: the archive is damaged or unsafe.
    """
    _refuse_other(dataset, root)
    address = archive_of(dataset, test_only=test_only)
    sha256 = "" if test_only else ORIGINS[dataset].sha256
    target = root / address.rsplit("/", 1)[-1]
    download(address, target, sha256=sha256, progress=progress)
    if not sha256:
        log.info("%s: no checksum is published; SHA-256 %s", target.name, checksum(target))
    extract(target, root)


def archive_of(dataset: str, *, test_only: bool = False) -> str:
    """The direct address of a data set, or of its test clips.

    Raises:
        UsageError: there is no such data set, or it has no such address.
    """
    origin = origin_of(dataset)
    if test_only and not origin.tests:
        having = ", ".join(name for name, each in ORIGINS.items() if each.tests)
        raise UsageError(f"expected {having} with --test-only, found {dataset}")
    if not origin.archive:
        told = (
            f", which is {origin.page}; leave --download away"
            if dataset == "folder"
            else f"; get it from {origin.page}, unpack it there and leave --download away"
        )
        raise UsageError(f"expected a data set with a direct address, found {dataset}{told}")
    return origin.tests if test_only else origin.archive


def _refuse_other(dataset: str, root: Path) -> None:
    """Keep the index of another data set; one that cannot be read is of no use to anybody."""
    if not (root / NAME).is_file():
        return
    try:
        found = read_index(root).dataset
    except MediaError:
        return
    if found != dataset:
        raise UsageError(
            f"expected no index of another data set in {root}, found that of {found}; "
            f"remove {root / NAME} to replace it"
        )


def extract(archive: Path, root: Path) -> None:
    """Unpack a zip file; one folder that holds all of it is left out of the names.

    Raises:
        MediaError: it is damaged, or inflates as no pictures do, or a name in it leads out of the
            folder.
        OutputError: the disk is full.
    """
    try:
        with zipfile.ZipFile(archive) as file:
            members = [
                member
                for member in file.infolist()
                if not member.is_dir() and not member.filename.startswith("__MACOSX/")
            ]
            _refuse_bomb(archive, sum(member.file_size for member in members))
            home = root.resolve()
            tops = {member.filename.split("/")[0] for member in members}
            nested = len(tops) == 1 and all("/" in member.filename for member in members)
            for member in members:
                target = (home / member.filename).resolve()
                if not target.is_relative_to(home) or stat.S_ISLNK(member.external_attr >> 16):
                    raise MediaError(
                        f"expected names inside {root} in {archive}, found {member.filename!r}; "
                        "do not use this archive"
                    )
            for member in members:
                if nested:
                    member.filename = member.filename.split("/", 1)[1]
                file.extract(member, home)
    except MediaError:
        raise
    except _DAMAGED as error:
        raise MediaError(
            f"expected a zip file in {archive}, found a damaged one: {error}; remove it and "
            "download it again"
        ) from error
    except OSError as error:
        raise failed(root, error) from error


def _refuse_bomb(archive: Path, inside: int) -> None:
    """Refuse an archive by the sizes that it claims: no more than these is ever unpacked."""
    if inside > _INFLATED * archive.stat().st_size:
        raise MediaError(
            f"{archive} claims to hold {inside} bytes in {archive.stat().st_size}, which pictures "
            "and videos cannot be compressed to; if you trust it, unpack it there yourself and "
            "leave --download away"
        )
