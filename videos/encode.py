"""Frames into files: MP4 (H.264) and WebM (VP9) by imageio and PyAV, GIF by Pillow; a file is whole or not there.

The same frames give the same bytes (with the same library versions): the number of the encoder's
threads is fixed and no date is stored.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import glob
import io
import itertools
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image

from envs.errors import InputError
from videos.frames import ACCENTS, BAR, LIT, blend, check_picture

MAX_FPS = 60
_SMPTE170M = 6  # H.273 code of the matrix with which FFmpeg turns RGB into YUV; untagged, players guess


@dataclass(frozen=True)
class Codec:
    """An encoder, its options (``{crf}`` is filled in), those of the container, its range of crf, its threads.

    The number of threads is fixed, as the bytes that come out depend on it.
    """

    name: str
    options: dict[str, str]
    container: dict[str, str]
    crf: int
    largest_crf: int
    threads: int


CODECS = {
    ".mp4": Codec("libx264", {"preset": "veryfast", "crf": "{crf}"}, {"movflags": "+faststart"}, 18, 51, 2),
    ".webm": Codec(
        "libvpx-vp9",
        {"deadline": "realtime", "cpu-used": "8", "crf": "{crf}", "b": "0"},
        {"fflags": "+bitexact"},
        30,
        63,
        1,
    ),
}
FILMS = (*CODECS, ".gif")


def check_film_path(path: str | os.PathLike[str]) -> Path:
    """``path`` if a film can be written there; raises :class:`InputError` for another suffix or a place that is none.

    To be called before the work of a film is begun.
    """
    path = Path(path)
    if path.suffix.lower() not in FILMS:
        raise InputError(
            f"cannot write {path}: unknown film format {path.suffix!r}; end the name in .mp4, .webm or .gif"
        )
    _open_part(path).close()
    with contextlib.suppress(FileNotFoundError):
        _part(path).unlink()
    return path


def write_film(path: str | os.PathLike[str], frames: Iterable[np.ndarray], fps: float = 12) -> Path:
    """Write ``frames`` as the suffix of ``path`` says: ``.mp4``, ``.webm`` or ``.gif``; returns the path.

    Raises :class:`InputError` for another suffix and as :func:`write_video` does.
    """
    path = check_film_path(path)
    return write_gif(path, frames, fps) if path.suffix.lower() == ".gif" else write_video(path, frames, fps)


def write_video(
    path: str | os.PathLike[str], frames: Iterable[np.ndarray], fps: float = 12, *, crf: int | None = None
) -> Path:
    """Encode ``frames`` (``uint8[h, w, 3]``, of one size) as H.264 or VP9, yuv420p, by the suffix of ``path``.

    Frames are taken one by one, so memory does not grow with their number; odd sizes are padded by a
    pixel of the edge. ``crf`` is the encoder's constant rate factor, 0 (best) to 51 (H.264) or 63 (VP9).
    The file appears under its name only when complete; after any error, also one raised by
    ``frames``, nothing is left behind. Raises :class:`InputError` for no frames, frames of wrong
    type or size, a bad rate, a path that cannot be written, or a missing encoder.
    """
    path = Path(path)
    codec = CODECS[path.suffix.lower()]
    crf = codec.crf if crf is None else crf
    if not 0 <= crf <= codec.largest_crf:
        raise InputError(f"film: crf {crf} is outside the range of {codec.name}; use 0 (best) to {codec.largest_crf}")

    def encode(target: Path, checked: Iterator[np.ndarray]) -> None:
        import imageio.v3 as iio  # loading FFmpeg takes a while: only when it is needed
        from av.error import FFmpegError

        with open(target, "wb", buffering=0) as file:
            sink = _Sink(file, str(target))
            options: dict[str, Any] = {"plugin": "pyav", "extension": path.suffix, "options": codec.container}
            try:
                with iio.imopen(sink, "w", **options) as writer:
                    writer.init_video_stream(codec.name, fps=float(fps), pixel_format="yuv420p")
                    _tune(writer, codec, crf)
                    for frame in checked:
                        writer.write_frame(_even(frame))
                        if sink.error is not None:
                            break
            except FFmpegError:
                if sink.error is None:
                    raise
            if sink.error is not None:
                raise sink.error

    check_encoder(codec.name)
    return _write(path, frames, fps, encode)


def _even(frame: np.ndarray) -> np.ndarray:
    """The frame with even sides, as yuv420p needs: an odd one is grown by a copy of its last row or column."""
    height, width = frame.shape[:2]
    if height % 2 or width % 2:
        return np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return frame


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
        rest = memoryview(data)
        while self.error is None and rest:
            try:
                rest = rest[self._file.write(rest) :]
            except OSError as error:
                self.error = error
        return len(data)

    def flush(self) -> None:
        """Nothing is buffered."""

    def close(self) -> None:
        """Left to the one who opened the file."""


def _tune(writer: Any, codec: Codec, crf: int) -> None:
    """Options of the encoder itself, for which imageio has no argument (those of ``imopen`` go to the container)."""
    context = writer._video_stream.codec_context
    context.thread_count = codec.threads
    context.options = {key: value.format(crf=crf) for key, value in codec.options.items()}
    context.color_range = 1  # limited range, as yuv420p is read everywhere
    context.colorspace = context.color_primaries = context.color_trc = _SMPTE170M


def check_encoder(name: str = CODECS[".mp4"].name) -> str:
    """Name and version of an encoder; raises :class:`InputError` if it is missing."""
    try:
        import av
        import imageio.v3  # noqa: F401

        av.Codec(name, "w")
    except (ImportError, OSError, ValueError) as error:
        raise InputError(f"films cannot be encoded ({error}); pip install imageio av") from None
    return f"{name} by PyAV {av.__version__}"


def write_gif(
    path: str | os.PathLike[str], frames: Iterable[np.ndarray], fps: float = 12, *, max_width: int = 720
) -> Path:
    """Encode ``frames`` as a looping GIF scaled down to ``max_width``, all in one palette.

    A GIF counts hundredths of a second, so 12 frames a second become 12.5. Scaled frames (a
    byte a pixel) are held until the end; for long films prefer MP4. Errors and atomicity as
    :func:`write_video`.
    """
    if max_width < 2:
        raise InputError(f"film: a GIF {max_width} pixels wide is too small; use at least 2")

    def encode(target: Path, checked: Iterator[np.ndarray]) -> None:
        images = (_scaled(frame, max_width) for frame in checked)
        first = next(images)
        palette = _palette(first)
        quantized = (
            image.quantize(palette=palette, dither=Image.Dither.NONE) for image in itertools.chain([first], images)
        )
        start = next(quantized)
        duration = 10 * max(2, round(100 / fps))  # players slow down frames shorter than 2/100 s
        start.save(target, format="GIF", save_all=True, append_images=quantized, duration=duration, loop=0)

    return _write(path, frames, fps, encode)


def _scaled(frame: np.ndarray, max_width: int) -> Image.Image:
    image = Image.fromarray(frame)
    if image.width <= max_width:
        return image
    size = (max_width, max(1, round(image.height * max_width / image.width)))
    return image.resize(size, Image.Resampling.LANCZOS)


def _palette(image: Image.Image) -> Image.Image:
    """The colours of trails and lit captions, which a first picture lacks, a cube of 27, and those of ``image``."""
    accents = [colour for accent in ACCENTS for colour in (accent, blend(accent, BAR, LIT))]
    cube = list(itertools.product((0, 128, 255), repeat=3))
    own = image.quantize(256 - len(accents) - len(cube), method=Image.Quantize.MEDIANCUT).getpalette() or []
    fixed = [value for colour in (*accents, *cube) for value in colour]
    palette = Image.new("P", (1, 1))
    palette.putpalette((fixed + own + [0] * 768)[:768])
    return palette


def _write(
    path: str | os.PathLike[str],
    frames: Iterable[np.ndarray],
    fps: float,
    encode: Callable[[Path, Iterator[np.ndarray]], None],
) -> Path:
    """Have ``encode`` write a temporary file beside ``path``, then rename it.

    The temporary file is locked while it is written, so one that is not locked was left by a
    process that was killed: the next film of the same name removes it.
    """
    path = Path(path)
    if not 0 < fps <= MAX_FPS:
        raise InputError(f"film: {fps} frames per second; use more than 0 and at most {MAX_FPS}")
    checked = _checked(frames)
    first = next(checked, None)
    if first is None:
        raise InputError(f"cannot write {path}: there are no frames; give at least one")
    part = _part(path)
    with _open_part(path) as lock:
        try:
            _lock(lock)
            _remove_stale(path.parent, f".{glob.escape(path.stem[:40])}.*.part{path.suffix}")
            encode(part, itertools.chain([first], checked))
            os.fsync(lock.fileno())
            os.replace(part, path)
        except BaseException as error:
            with contextlib.suppress(FileNotFoundError):
                part.unlink()
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise InputError(f"cannot write {path}: {error.strerror}; is there room on the disk?") from None
            raise
    _sync_directory(path.parent)
    return path


def _part(path: Path) -> Path:
    """Where a film is written before it has its name, which may be as long as names get."""
    return path.with_name(f".{path.stem[:40]}.{os.getpid()}-{threading.get_ident()}.part{path.suffix}")


def _open_part(path: Path) -> IO[bytes]:
    try:
        if path.is_dir():
            raise InputError(f"cannot write {path}: it is a directory; name a file")
        return open(_part(path), "wb")
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}; choose a directory you can write to") from None


def _lock(file: IO[bytes]) -> bool:
    """Lock a file for as long as it is open; False if another has it, or the file system has no locks."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _remove_stale(folder: Path, pattern: str) -> None:
    for path in folder.glob(pattern):
        with contextlib.suppress(OSError), open(path, "rb") as file:
            if _lock(file):
                path.unlink()


def _sync_directory(directory: Path) -> None:
    """Make the rename durable, where the file system can."""
    with contextlib.suppress(OSError):
        handle = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _checked(frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    size: tuple[int, ...] | None = None
    for number, frame in enumerate(frames):
        check_picture(frame, f"film frame {number}")
        if size is not None and frame.shape != size:
            raise InputError(f"film frame {number}: shape {frame.shape} after {size}; all frames need one size")
        size = frame.shape
        yield frame
