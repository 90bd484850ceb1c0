"""FFmpeg by imageio and its PyAV plugin: pictures in, a film's bytes out."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

Picture = np.ndarray | tuple[np.ndarray, np.ndarray]  # uint8[h, w, 3], or indices and their palette
Timed = tuple[int, Picture]
_SMPTE170M = 6  # H.273 code of the matrix with which FFmpeg turns RGB into YUV; untagged, players guess


@dataclass(frozen=True)
class Codec:
    """An encoder of FFmpeg and how it is asked."""

    name: str
    """Name of the encoder in FFmpeg."""
    pixels: str
    """Its pixel format: ``yuv420p`` or ``pal8``."""
    options: dict[str, str]
    """Its options; ``{crf}`` is filled in."""
    container: dict[str, str]
    """Options of the container."""
    threads: int
    """Number of its threads, 1 or more; fixed, as the bytes that come out depend on it."""
    crf: tuple[int, int] = (0, 0)
    """Constant rate factor: (default, largest); (0, 0) if it has none."""


class _Sink:
    """The file as FFmpeg sees it: it never fails, but keeps the first error and then drops all bytes.

    An exception inside a write called by FFmpeg would lose its reason on the way, and be printed.
    """

    def __init__(self, file: io.FileIO, name: str) -> None:
        self.error: OSError | None = None
        self.name = name  # for faststart FFmpeg opens the file once more, by its name
        self._file = file
        self.seek, self.tell, self.read = file.seek, file.tell, file.read

    def write(self, data: bytes) -> int:
        """Write all of ``data``, or nothing more after an error; return its length in bytes in either case."""
        rest = memoryview(data)
        while self.error is None and rest:
            try:
                rest = rest[self._file.write(rest) :]
            except OSError as error:
                self.error = error
        return len(data)

    def flush(self) -> None:
        """Do nothing: nothing is buffered."""

    def close(self) -> None:
        """Do nothing: the one who opened the file closes it."""


class _Encoder:
    """One film on its way into a file. Timestamps count in ``unit`` seconds."""

    def __init__(self, sink: _Sink, suffix: str, codec: Codec, size: tuple[int, int], rate: Fraction, unit: Fraction):
        import av  # loading FFmpeg takes a while: only when it is needed
        import imageio.v3 as iio

        self._av: Any = av
        self._unit = unit
        how: dict[str, Any] = {"plugin": "pyav", "extension": suffix, "options": codec.container}
        self._writer: Any = iio.imopen(sink, "w", **how)
        self._writer.init_video_stream(codec.name, fps=float(rate), pixel_format=codec.pixels)
        # What follows has no argument there: the encoder's options and threads, times of one's own, palettes.
        self._container, self._stream = self._writer._container, self._writer._video_stream
        self._stream.height, self._stream.width = size
        self._stream.time_base = unit
        context = self._stream.codec_context
        context.options = codec.options
        context.thread_count, context.time_base = codec.threads, unit
        if codec.pixels == "yuv420p":
            context.color_range = 1  # limited range, as yuv420p is read everywhere
            context.colorspace = context.color_primaries = context.color_trc = _SMPTE170M

    def add(self, time: int, picture: Picture) -> None:
        """Encode ``uint8[h, w, 3]``, or (indices, palette ``uint8[256, 4]`` of alpha, red, green, blue)."""
        if not isinstance(picture, tuple):
            self._writer.write_frame(picture)  # one a unit: `time` is the number of the picture
            return
        frame = self._av.VideoFrame.from_ndarray(picture, "pal8")
        frame.pts, frame.time_base = time, self._unit
        self._container.mux(self._stream.encode(frame))

    def finish(self) -> None:
        """Write what the encoder still holds, and the end of the file."""
        self._writer.close()

    def abandon(self) -> None:
        """Close without a word; after :meth:`finish` nothing."""
        self._writer._video_stream = None  # nothing is flushed
        with contextlib.suppress(self._av.error.FFmpegError):
            self._writer.close()


def encode(target: Path, suffix: str, pictures: Iterator[Timed], codec: Codec, rate: Fraction, unit: Fraction) -> None:
    """Write ``pictures``, each at its time in ``unit`` seconds, into ``target`` as a film of ``rate`` frames a second.

    FFmpeg runs in a thread of its own, beside the one that makes the pictures: Ctrl-C raises its exception in
    the main thread, wherever that is, and inside a write called by FFmpeg it would be lost. Raises OSError for
    what the disk refuses, and FFmpeg's own errors.
    """
    from av.error import FFmpegError

    with open(target, "wb", buffering=0) as file, ThreadPoolExecutor(1) as worker:
        sink = _Sink(file, str(target))
        time, picture = next(pictures)
        size = (picture[0] if isinstance(picture, tuple) else picture).shape[:2]
        encoder = worker.submit(_Encoder, sink, suffix, codec, size, rate, unit).result()
        try:
            written: Future[None] = worker.submit(encoder.add, time, picture)
            for time, picture in pictures:
                written.result()
                if sink.error is not None:
                    break
                written = worker.submit(encoder.add, time, picture)
            written.result()
            worker.submit(encoder.finish).result()
        except FFmpegError:
            if sink.error is None:
                raise
        finally:
            worker.submit(encoder.abandon).result()
        if sink.error is not None:
            raise sink.error
