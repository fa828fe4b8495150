"""A farm from the names of files to their results."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from upreel.errors import OutputError, UsageError
from upreel.farm.cluster import RayPool, RayStore, connected, resources
from upreel.farm.driver import Farm
from upreel.farm.items import find_items
from upreel.farm.orders import Event, Outcome
from upreel.farm.storage import Mirror, is_address
from upreel.inference.options import Options
from upreel.models.backbones import cache_folder
from upreel.video.encoding import CONTAINERS

_MOST_THREADS = 8


@dataclass(frozen=True, slots=True)
class Crew:
    """Who does the work; what is `None` is chosen.

    Attributes:
        address: of a Ray cluster; `None`: Ray is started on this machine.
        workers: how many.
        threads: cores of each.
        gpus: of each.
    """

    address: str | None = None
    workers: int | None = None
    threads: int | None = None
    gpus: float | None = None

    def chosen(self, cores: int, gpus: float, device: str) -> tuple[int, int, float]:
        """Workers, threads and GPUs of each, on a cluster that has so many.

        Raises:
            UsageError: there are no such devices.
        """
        each = self.gpus
        if each is None:
            each = 1.0 if gpus and device != "cpu" else 0.0
        if each and not gpus:
            raise UsageError(
                f"expected GPUs in the cluster for --gpus-per-worker {each:g}, found none; "
                "leave it out"
            )
        if each:
            workers = self.workers or max(1, int(gpus / each))
            threads = self.threads or max(1, min(_MOST_THREADS, cores // workers))
        else:
            threads = self.threads or max(1, cores // (self.workers or cores))
            workers = self.workers or max(1, cores // threads)
        return workers, threads, each


def run(
    sources: Sequence[str],
    out: str,
    options: Options,
    *,
    crew: Crew = Crew(),
    container: str | None = None,
    cache: Path | None = None,
    tell: Callable[[Event], None] = lambda event: None,
) -> Outcome:
    """Make many videos larger.

    Args:
        sources: videos, folders of videos, or addresses of both.
        out: the folder of results.
        options: for all of them.
        crew: who does it.
        container: extension of the results; without it, that of each source where possible.
        cache: where workers keep what they fetch.
        tell: called with all that happens.

    Raises:
        UsageError: the inputs, the options or the cluster are not as expected.
        OutputError: the folder of results cannot be made, or workers cannot be started.
    """
    items = find_items(sources, out, extension=_extension(container))
    cache = cache or cache_folder() / "farm"
    mirror, folder = None, Path(out)
    if is_address(out):
        mirror = Mirror(out)
        folder = cache / "results" / hashlib.sha256(out.encode()).hexdigest()[:16]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"Cannot make the folder {folder}: {error.strerror}.") from error
    wanted = (crew.workers or 1) * (crew.threads or 1)
    with connected(crew.address, cores=max(wanted, os.cpu_count() or 1)):
        workers, threads, gpus = crew.chosen(*resources(), options.device)
        with RayPool(workers, threads=threads, gpus=gpus, cache=cache) as pool:
            pins = pool.choose_pins(options.device, options.precision)
            return Farm(
                pool,
                RayStore(),
                items=items,
                out=folder,
                options=options,
                pins=pins,
                cache=cache,
                mirror=mirror,
                tell=tell,
            ).run()


def _extension(container: str | None) -> str | None:
    if container is None:
        return None
    extension = f".{container.lower().lstrip('.')}"
    if extension not in CONTAINERS:
        raise UsageError(
            f"expected a kind of file out of {', '.join(CONTAINERS)} for --container, "
            f"found {container}"
        )
    return extension
