"""Sound that is played slower at the same pitch, for slow motion."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import av
import av.container
import av.filter
from av.audio.frame import AudioFrame

from upreel.video.routes import Cut, Packet, SoundConversion, ticks

_SLOWEST = 2
"""How much slower one `atempo` of FFmpeg gets."""

_PIECES_PER_SECOND = 24
"""Of the sound that it moves, at most; their samples are a power of two."""


class SlowSound(SoundConversion):
    """Sound through FFmpeg's `atempo`, in another codec.

    Gaps in the sound are filled with silence first, so that what comes after them is in time.
    """

    def __init__(
        self,
        source: av.AudioStream,
        out: av.container.OutputContainer,
        codec: str,
        *,
        slower: int,
    ) -> None:
        """Add a stream to `out` for the sound of `source`, `slower` times as long."""
        super().__init__(source, out, codec)
        self._slower = slower
        self._graph: av.filter.Graph | None = None
        self._begin = Fraction(0)
        self._samples = 0

    def flush(self, cut: Cut) -> Iterator[Packet]:
        """See `Route`."""
        yield from self._encode(self._source.codec_context.decode(None), cut)
        if self._graph is not None:
            self._graph.push(None)
            yield from self._pulled(self._graph)
        yield from self.stream.encode(None)

    def _encode(self, frames: object, cut: Cut) -> Iterator[Packet]:
        assert isinstance(frames, list)
        for frame in frames:
            if not isinstance(frame, AudioFrame) or frame.pts is None or frame.time_base is None:
                continue
            instant = frame.pts * frame.time_base
            if not cut.holds(instant):
                continue
            if self._graph is None:
                self._graph = self._make_graph(frame)
                self._begin = cut.place(instant) + self._late(frame.sample_rate)
            self._graph.push(frame)
            yield from self._pulled(self._graph)

    def _late(self, rate: int) -> Fraction:
        """How much later the sound is to begin so that `atempo` is as often early as late."""
        # It puts the beginnings of its pieces where they belong, and what follows them too early.
        piece = 1 << (rate // _PIECES_PER_SECOND).bit_length()
        return Fraction(piece, 2 * rate) * (self._slower - 1)

    def _make_graph(self, first: AudioFrame) -> av.filter.Graph:
        graph = av.filter.Graph()
        nodes = [
            graph.add_abuffer(
                sample_rate=first.sample_rate,
                format=first.format,
                layout=first.layout,
                time_base=first.time_base,
            ),
            graph.add("aresample", "async=1"),
        ]
        rest = Fraction(self._slower)
        while rest > 1:
            step = min(rest, Fraction(_SLOWEST))
            nodes.append(graph.add("atempo", f"{float(1 / step):.17g}"))
            rest /= step
        graph.link_nodes(*nodes, graph.add("abuffersink")).configure()
        return graph

    def _pulled(self, graph: av.filter.Graph) -> Iterator[Packet]:
        while True:
            try:
                frame = graph.pull()
            except (av.BlockingIOError, av.EOFError):
                return
            assert isinstance(frame, AudioFrame)
            # Instants are counted: those of the filter are in the time of its input.
            frame.time_base = Fraction(1, frame.sample_rate)
            frame.pts = ticks(self._begin, frame.time_base) + self._samples
            self._samples += frame.samples
            yield from self.stream.encode(frame)
