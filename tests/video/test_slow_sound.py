"""Slow sound: every click at its place, for ten minutes, at the same pitch."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from upreel.video.routes import Cut, Packet
from upreel.video.slow_sound import SlowSound

RATE = 12000


def write_sound(path: Path, samples: NDArray[np.int16], *, gap: range = range(0)) -> None:
    """Sound that begins at half a second, with packets missing in a gap of samples."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("pcm_s16le", rate=RATE)
        assert isinstance(stream, av.AudioStream)
        stream.layout = "mono"
        for start in range(0, len(samples), RATE):
            if start in gap:
                continue
            frame = av.AudioFrame.from_ndarray(
                samples[None, start : start + RATE], format="s16", layout="mono"
            )
            frame.sample_rate, frame.time_base = RATE, Fraction(1, RATE)
            frame.pts = start + RATE // 2
            out.mux(stream.encode(frame))


def slow_down(source: Path, target: Path, cut: Cut) -> tuple[float, NDArray[np.float64]]:
    """Where the slow sound begins, in seconds, and its samples."""
    with av.open(str(source)) as given, av.open(str(target), "w") as out:
        sound = given.streams.audio[0]
        route = SlowSound(sound, out, "flac", slower=cut.slower)
        packets = cast("Iterator[Packet]", given.demux(sound))
        for packet in packets:
            if packet.size:
                out.mux(list(route.convert(packet, cut)))
        out.mux(list(route.flush(cut)))
    with av.open(str(target)) as made:
        frames = list(made.decode(audio=0))
    first = frames[0]
    assert first.pts is not None
    assert first.time_base is not None
    samples = np.concatenate([frame.to_ndarray().reshape(-1) for frame in frames])
    return float(first.pts * first.time_base), samples.astype(float)


def onsets(samples: NDArray[np.float64], apart: float) -> NDArray[np.float64]:
    """When the loud parts begin, in seconds."""
    loud = np.flatnonzero(np.abs(samples) > 6000)
    first = np.diff(loud, prepend=-np.inf) > apart * RATE
    return loud[first] / RATE


@pytest.mark.parametrize(
    ("slower", "seconds"), [(2, 60), (3, 60), pytest.param(2, 600, marks=pytest.mark.slow)]
)
def test_clicks_stay_in_time(tmp_path: Path, slower: int, seconds: int) -> None:
    click = 20000 * np.sin(np.arange(600) * 0.6) * np.exp(-np.arange(600) / 150)
    samples = np.zeros((seconds, RATE), np.int16)
    samples[:, :600] = click.astype(np.int16)
    gap = range(20 * RATE, 22 * RATE)
    write_sound(tmp_path / "in.mkv", samples.reshape(-1), gap=gap)
    begin, slow = slow_down(tmp_path / "in.mkv", tmp_path / "out.mkv", Cut(slower=slower))
    found = begin + onsets(slow, 0.5)
    wanted = np.array([0.5 + second for second in range(seconds) if second * RATE not in gap])
    assert len(found) == len(wanted)
    late = found / slower - wanted
    assert np.abs(late).max() < 1 / 25  # a frame of a usual video
    assert abs(late[-20:].mean() - late[:20].mean()) < 0.005  # and it does not drift
    assert abs(begin + len(slow) / RATE - slower * (0.5 + seconds)) < 0.2


def test_the_pitch_stays(tmp_path: Path) -> None:
    tone = 10000 * np.sin(2 * np.pi * 440 * np.arange(4 * RATE) / RATE)
    write_sound(tmp_path / "in.mkv", tone.astype(np.int16))
    _, slow = slow_down(tmp_path / "in.mkv", tmp_path / "out.mkv", Cut(slower=2))
    middle = slow[RATE : 5 * RATE]
    peak = int(np.abs(np.fft.rfft(middle)).argmax())
    assert abs(peak / 4 - 440) < 2


def test_a_cut_begins_at_zero(tmp_path: Path) -> None:
    write_sound(tmp_path / "in.mkv", np.full(6 * RATE, 9000, np.int16))
    cut = Cut(Fraction(5, 2), Fraction(9, 2), Fraction(5, 2), slower=2)
    begin, slow = slow_down(tmp_path / "in.mkv", tmp_path / "out.mkv", cut)
    assert abs(begin) < 0.05
    assert abs(len(slow) / RATE - 4) < 0.2
