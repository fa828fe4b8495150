"""Atomic-force-microscopy movies with the truth about them: a surface, a tip, and what goes wrong.

A surface is drawn on a grid twice as fine as the pixels, the tip dilates it, and each row of each
frame samples it where the drift of the sample has brought it at that moment: this is the truth, in
nanometres. Then comes what instruments add, nearly all of it tied to the fast axis (x): rows that
are offset and tilted against each other, scars, spikes with a tail, white noise, 1/f noise and
the hum of the mains along the time of the scan, and the tilt of the sample.

Strengths are parts of the roughness of the surface (its standard deviation), so that a movie of 0.5
nm and one of 5 nm are equally hard; each is drawn once for a movie, evenly on a logarithmic scale.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Range = tuple[float, float]
Surface = Literal["grains", "particles", "fibres", "terraces", "lattice"]

_FINE = 2  # samples of the surface for each pixel, in each direction
_MARGIN = 24  # pixels of surface around the frame that drift may bring in
_HARMONICS = (1.0, 0.3, 0.4)  # of the mains


@dataclass(frozen=True, slots=True)
class Settings:
    """What the simulator draws from: ranges, each from least to greatest.

    The defaults were fixed before anything was trained on them.

    Attributes:
        roughness: of the surface, its standard deviation in nm.
        pixel: side of a pixel in nm.
        tip: radius of the paraboloid at the end of the tip, in nm.
        drift: of the sample, in pixels for each frame at the start of the movie.
        creep: part of that velocity which decays over the movie.
        white: noise of each pixel.
        pink: 1/f noise along the time of the scan, its standard deviation over a movie.
        row_offset: standard deviation of the offsets of rows.
        row_tilt: standard deviation of what a row rises from one end to the other.
        mains: amplitude of the hum.
        mains_period: of the hum, in pixels along a row.
        scars: how many in 100 rows.
        scar_height: how far a scar lies off.
        spikes: part of the pixels that are hit.
        spike_height: how far a spike lies off.
        plane: what the whole sample rises across a frame, along x and along y.
        moving: part of the movies in which molecules wander about; these hurt what only averages.
    """

    roughness: Range = (0.5, 5.0)
    pixel: Range = (1.0, 5.0)
    tip: Range = (2.0, 20.0)
    drift: Range = (0.1, 1.0)
    creep: Range = (0.1, 0.6)
    white: Range = (0.05, 0.3)
    pink: Range = (0.05, 0.25)
    row_offset: Range = (0.1, 0.6)
    row_tilt: Range = (0.05, 0.3)
    mains: Range = (0.02, 0.15)
    mains_period: Range = (3.0, 40.0)
    scars: Range = (0.5, 5.0)
    scar_height: Range = (0.5, 3.0)
    spikes: Range = (2e-4, 2e-3)
    spike_height: Range = (2.0, 8.0)
    plane: Range = (0.1, 3.0)
    moving: float = 0.0


@dataclass(frozen=True, slots=True)
class SimulatedScan:
    """A movie and the truth about it.

    Attributes:
        heights: what the instrument recorded, `(T, H, W)`, nm.
        truth: what it would have recorded without noise and with the sample level, `(T, H, W)`, nm.
        drift: where the surface of each row lies against the first row of the first frame, `(T, H,
            2)`, x then y, pixels: what is at `p` in row `r` of frame `t` lies on the surface at `p
            + drift[t, r]`.
        pixel: side of a pixel in nm.
        surface: which kind it is.
    """

    heights: Floats
    truth: Floats
    drift: Floats
    pixel: float
    surface: Surface


def simulate_scan(
    size: tuple[int, int] = (128, 128),
    frames: int = 10,
    *,
    seed: int = 0,
    index: int = 0,
    settings: Settings | None = None,
) -> SimulatedScan:
    """Make the movie of a number; there is no last one.

    Args:
        size: height and width.
        frames: how many.
        seed: of the set.
        index: of the movie in it. The kinds of surfaces take turns.
        settings: what it is drawn from.
    """
    settings = settings or Settings()
    random = np.random.default_rng((seed, index))
    pixel = _draw(random, settings.pixel)
    kind = get_args(Surface)[index % len(get_args(Surface))]
    surface = draw_surface(kind, (size[0] + 2 * _MARGIN, size[1] + 2 * _MARGIN), random)
    roughness = _draw(random, settings.roughness)
    surface *= roughness / surface.std()
    drift = _wander(random, settings, frames, size[0])
    radius = _draw(random, settings.tip)
    molecules = _Molecules.draw(random, size) if random.random() < settings.moving else None
    seen = dilate(surface, radius, pixel / _FINE)
    truth = np.empty((frames, *size), np.float32)
    for t in range(frames):
        if molecules is not None:
            covered = np.maximum(surface, surface.mean() + molecules.draw_at(t) * 3 * roughness)
            seen = dilate(covered, radius, pixel / _FINE)
        truth[t] = _sample(seen, drift[t], size)
    heights = truth + roughness * _noise(random, settings, truth.shape)
    return SimulatedScan(heights.astype(np.float32), truth, drift, pixel, kind)


def draw_surface(kind: Surface, size: tuple[int, int], random: np.random.Generator) -> Floats:
    """Draw a surface on the fine grid, `(2 * H, 2 * W)` for `size` in pixels; heights of any unit.

    Args:
        kind: self-affine grains; caps on a substrate; fibres crossing; atomic steps; a crystal.
        size: height and width in pixels.
        random: what to draw from.
    """
    fine = (size[0] * _FINE, size[1] * _FINE)
    rough = _self_affine(random, fine, hurst=random.uniform(0.5, 0.9))
    if kind == "grains":
        return rough
    y, x = np.mgrid[: fine[0], : fine[1]].astype(np.float32)
    surface = np.zeros(fine, np.float32)
    if kind == "particles":
        for _ in range(int(random.integers(15, 60))):
            radius = _draw(random, (3, 14)) * _FINE
            at = random.uniform(0, 1, 2) * fine
            cap = 1 - ((x - at[1]) ** 2 + (y - at[0]) ** 2) / radius**2
            surface = np.maximum(surface, radius * np.sqrt(np.maximum(cap, 0)))
    elif kind == "fibres":
        for _ in range(int(random.integers(5, 16))):
            surface = np.maximum(surface, _fibre(random, x, y))
    elif kind == "terraces":
        smooth = cv2.GaussianBlur(rough, (0, 0), 6 * _FINE)
        steps = smooth / smooth.std() * random.uniform(1, 2)
        edge = np.tanh(((steps % 1) - 0.5) * 12) / 2 + 0.5
        surface = (np.floor(steps) + edge).astype(np.float32)
    else:
        period = _draw(random, (6, 16)) * _FINE
        turn = random.uniform(0, math.pi / 3)
        for angle in (turn, turn + math.pi / 3, turn + 2 * math.pi / 3):
            along = x * math.cos(angle) + y * math.sin(angle)
            surface += np.cos(2 * math.pi * along / period)
        surface *= np.where(cv2.GaussianBlur(rough, (0, 0), period) > 0, 1.5, 1).astype(np.float32)
    shown: Floats = surface / surface.std() + random.uniform(0.02, 0.15) * rough / rough.std()
    return shown.astype(np.float32)


def dilate(surface: Floats, radius: float, pixel: float) -> Floats:
    """What a paraboloid tip of this radius (nm) records of a surface: its grey dilation.

    A paraboloid is the sum of one in x and one in y, so the dilation is one along each axis
    (Villarrubia 1997, "Algorithms for scanned probe microscope image simulation, surface
    reconstruction, and tip estimation").

    Args:
        surface: `(H, W)`, nm.
        radius: of curvature at the apex, nm.
        pixel: side of a sample, nm.
    """
    reach = math.sqrt(2 * radius * float(surface.max() - surface.min())) / pixel
    for axis in (0, 1):
        length = surface.shape[axis]
        shown = surface.copy()
        for step in range(1, min(int(reach), length - 1) + 1):
            lower = np.float32((step * pixel) ** 2 / (2 * radius))
            low, high = (_cut(axis, a, b) for a, b in ((0, length - step), (step, length)))
            np.maximum(shown[low], surface[high] - lower, out=shown[low])
            np.maximum(shown[high], surface[low] - lower, out=shown[high])
        surface = shown
    return surface


def _cut(axis: int, start: int, end: int) -> tuple[slice, ...]:
    return (slice(None),) * axis + (slice(start, end),)


def _draw(random: np.random.Generator, limits: Range) -> float:
    """A number between two limits, evenly on a logarithmic scale."""
    return float(np.exp(random.uniform(*np.log(limits))))


def _self_affine(random: np.random.Generator, size: tuple[int, int], *, hurst: float) -> Floats:
    """A random surface whose power falls as `f ** -(2 hurst + 2)` beyond a corner frequency."""
    fy, fx = np.fft.fftfreq(size[0])[:, None], np.fft.rfftfreq(size[1])
    corner = 1 / (_draw(random, (8, 40)) * _FINE)
    power = (1 + (fx**2 + fy**2) / corner**2) ** (-(hurst + 1))
    # The tip and the feedback see nothing shorter than about a pixel.
    power *= np.exp(-(fx**2 + fy**2) * (2.5 * _FINE) ** 2)
    waves = np.fft.rfft2(random.standard_normal(size)) * np.sqrt(power)
    surface = np.fft.irfft2(waves, size)
    unit: Floats = (surface / surface.std()).astype(np.float32)
    return unit


def _fibre(random: np.random.Generator, x: Floats, y: Floats) -> Floats:
    """The upper half of a tube that winds its way across, samples."""
    angle, middle = random.uniform(0, math.pi), random.uniform(0, 1, 2) * x.shape
    along = (x - middle[1]) * math.cos(angle) + (y - middle[0]) * math.sin(angle)
    across = (y - middle[0]) * math.cos(angle) - (x - middle[1]) * math.sin(angle)
    bend = random.uniform(0, 0.15) * x.shape[1]
    across = across - bend * np.sin(along / x.shape[1] * random.uniform(2, 8))
    radius = _draw(random, (1.5, 5)) * _FINE
    tube: Floats = np.sqrt(np.maximum(radius**2 - across**2, 0)).astype(np.float32)
    return tube


@dataclass(frozen=True, slots=True)
class _Molecules:
    """Caps that wander over the surface; each frame sees them at rest."""

    paths: NDArray[np.float64]
    radii: NDArray[np.float64]
    size: tuple[int, int]

    @classmethod
    def draw(cls, random: np.random.Generator, size: tuple[int, int]) -> _Molecules:
        """Draw some molecules and where they will be in up to 64 frames."""
        count = int(random.integers(2, 9))
        start = random.uniform(0, 1, (1, count, 2)) * size
        steps = random.normal(0, random.uniform(0.5, 4), (64, count, 2))
        radii = np.array([_draw(random, (3, 8)) for _ in range(count)])
        return cls(start + np.cumsum(steps, 0), radii, size)

    def draw_at(self, t: int) -> Floats:
        """How high they rise in frame `t`, 0 to 1, on the fine grid."""
        tall, wide = ((side + 2 * _MARGIN) * _FINE for side in self.size)
        y, x = np.mgrid[:tall, :wide].astype(np.float32) / _FINE - _MARGIN
        high = np.zeros((tall, wide), np.float32)
        for at, radius in zip(self.paths[t % len(self.paths)], self.radii, strict=True):
            cap = 1 - ((x - at[1]) ** 2 + (y - at[0]) ** 2) / radius**2
            np.maximum(high, np.sqrt(np.maximum(cap, 0)), out=high)
        return high


def _wander(random: np.random.Generator, settings: Settings, frames: int, rows: int) -> Floats:
    """Drift of each row, `(T, H, 2)`: a steady velocity, and a creep that dies away."""
    moment = np.arange(frames * rows) / rows
    angle, speed = random.uniform(0, 2 * math.pi), _draw(random, settings.drift)
    creep, lasting = _draw(random, settings.creep), random.uniform(1, 5)
    way = speed * ((1 - creep) * moment + creep * lasting * (1 - np.exp(-moment / lasting)))
    path = way[:, None] * (math.cos(angle), math.sin(angle))
    return path.reshape(frames, rows, 2).astype(np.float32)


def _sample(surface: Floats, drift: Floats, size: tuple[int, int]) -> Floats:
    """Record one frame: each row where drift has brought the surface by then."""
    x = (np.arange(size[1], dtype=np.float32) + _MARGIN + drift[:, :1]) * _FINE
    y = (np.arange(size[0], dtype=np.float32) + _MARGIN + drift[:, 1])[:, None] * _FINE
    y = np.broadcast_to(y, size).copy()
    frame = cv2.remap(surface, x, y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101)
    return frame.astype(np.float32)


def _noise(
    random: np.random.Generator, settings: Settings, shape: tuple[int, int, int]
) -> NDArray[np.float64]:
    """All that the instrument adds, in parts of the roughness."""
    frames, height, width = shape
    across = np.linspace(-0.5, 0.5, width)
    noise = _draw(random, settings.white) * random.standard_normal(shape)
    noise += _pink(random, shape) * _draw(random, settings.pink)
    noise += _hum(random, settings, shape)
    noise += _draw(random, settings.row_offset) * random.standard_normal((frames, height, 1))
    noise += _draw(random, settings.row_tilt) * random.standard_normal((frames, height, 1)) * across
    down = np.linspace(-0.5, 0.5, height)[:, None]
    signs = random.choice((-1, 1), 2)
    noise += signs[0] * _draw(random, settings.plane) * across
    noise += signs[1] * _draw(random, settings.plane) * down
    _scar(random, settings, noise)
    _spike(random, settings, noise)
    return noise


def _pink(random: np.random.Generator, shape: tuple[int, int, int]) -> NDArray[np.float64]:
    """1/f noise of unit variance along the time of the scan: along x, then y, then frames."""
    count = math.prod(shape)
    frequency = np.fft.rfftfreq(count)
    frequency[0] = math.inf
    waves = np.fft.rfft(random.standard_normal(count)) / np.sqrt(frequency)
    noise = np.fft.irfft(waves, count)
    unit: NDArray[np.float64] = (noise / noise.std()).reshape(shape)
    return unit


def _hum(
    random: np.random.Generator, settings: Settings, shape: tuple[int, int, int]
) -> NDArray[np.float64]:
    """The mains and two of its harmonics, in step along the time of the scan."""
    turns = np.arange(math.prod(shape)).reshape(shape) / _draw(random, settings.mains_period)
    hum = np.zeros(shape)
    for order, part in enumerate(_HARMONICS, 1):
        hum += part * np.sin(2 * math.pi * (order * turns + random.random()))
    return hum * _draw(random, settings.mains)


def _scar(random: np.random.Generator, settings: Settings, noise: NDArray[np.float64]) -> None:
    """Put streaks along x where the tip lost the surface, one or two rows high."""
    frames, height, width = noise.shape
    for _ in range(random.poisson(_draw(random, settings.scars) * frames * height / 100)):
        t, row = random.integers(frames), random.integers(height)
        start, length = random.integers(width), int(_draw(random, (8, 80)))
        off = random.choice((-1, 1)) * _draw(random, settings.scar_height)
        noise[t, row : row + random.integers(1, 3), start : start + length] += off


def _spike(random: np.random.Generator, settings: Settings, noise: NDArray[np.float64]) -> None:
    """Put impulses that the feedback takes a few pixels to recover from."""
    width = noise.shape[-1]
    tail = np.exp(-np.arange(5) / random.uniform(0.3, 1.5))
    for _ in range(random.poisson(_draw(random, settings.spikes) * noise.size)):
        t, row, column = (random.integers(side) for side in noise.shape)
        off = random.choice((-1, 1)) * _draw(random, settings.spike_height)
        reach = min(5, width - column)
        noise[t, row, column : column + reach] += off * tail[:reach]
