"""How often workers fail and segments are slow, as others have published it: see docs/scale.md."""

from __future__ import annotations

from math import log

import numpy as np
from numpy.typing import NDArray

from scripts.farm_simulation.model import Faults

_DAY = 86400.0

OWNED = (1000 + 20 * 60 + 750) / 1800 / (365 * _DAY)
"""Of a machine, in a second. Dean (Google I/O 2008), a cluster of 1,800 in its first year: 1,000
machines fail, 20 racks with 40 to 80 of them, one power unit with 500 to 1,000."""

TRAINING = 419 / 54 / (16384 / 8) / _DAY
"""The same for Llama 3: 419 unexpected interruptions in 54 days on 16,384 GPUs, 8 in a machine."""

SPOT = -log(1 - 0.2) / (30 * _DAY)
"""Where the worst of AWS's classes begins: more than 20 % are interrupted in a month."""

PREEMPTIBLE = -log(1 - 0.15) / _DAY + 1 / _DAY
"""The worse end of what Google names, 15 % in a day, and every one is stopped after a day.
The latter is taken as random too, which is one more in a day on average."""

REPAIR = 300.0
"""Seconds until a lost worker is replaced: assumed."""

SLOW = 0.1
"""Of the segments; see `slow_factors`."""


def slow_factors(random: np.random.Generator, count: int) -> NDArray[np.float64]:
    """How many times longer segments take: Mantri (OSDI 2010), tasks of Bing's map-reduce.

    A tenth of the tasks are slow: of those, eight tenths 1.5 to 2.5 times as slow as the median,
    the last tenth 10 times or more (taken as 10), and those between 2.5 to 10 times.
    """
    kind = random.random(count)
    factors = np.ones(count)
    factors[kind < SLOW] = random.uniform(1.5, 2.5, count)[kind < SLOW]
    factors[kind < 0.2 * SLOW] = random.uniform(2.5, 10, count)[kind < 0.2 * SLOW]
    factors[kind < 0.1 * SLOW] = 10.0
    return factors


def faults(rate: float) -> Faults:
    """Failures at a rate, and slow segments."""
    return Faults(rate, REPAIR, slow_factors)
