"""Frames into files: MP4 (H.264) by imageio and PyAV, GIF by Pillow; a file is whole or not there.

The same frames give the same bytes (with the same library versions): the encoder runs in one
thread and no date is stored.
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
from pathlib import Path
from typing import IO, Any

import numpy as np
from PIL import Image

from envs.errors import InputError
from videos.frames import check_picture

MAX_FPS = 60
_SMPTE170M = 6  # H.273 code of the matrix with which FFmpeg turns RGB into YUV; untagged, players guess


def write_film(path: str | os.PathLike[str], frames: Iterable[np.ndarray], fps: float = 12) -> Path:
    """Write ``frames`` as the suffix of ``path`` says: ``.mp4`` or ``.gif``; returns the path.

    Raises :class:`InputError` for another suffix and as :func:`write_mp4` does.
    """
    writers: dict[str, Callable[..., Path]] = {".mp4": write_mp4, ".gif": write_gif}
    suffix = Path(path).suffix.lower()
    if suffix not in writers:
        raise InputError(f"cannot write {path}: unknown film format {suffix!r}; end the name in .mp4 or .gif")
    return writers[suffix](path, frames, fps)


def write_mp4(path: str | os.PathLike[str], frames: Iterable[np.ndarray], fps: float = 12, *, crf: int = 18) -> Path:
    """Encode ``frames`` (``uint8[h, w, 3]``, equal and even sizes) as H.264, yuv420p, faststart.

    Frames are taken one by one, so memory does not grow with their number. ``crf`` is x264's
    constant rate factor, 0 (lossless) to 51. The file appears under its name only when complete;
    after any error, also one raised by ``frames``, nothing is left behind. Raises
    :class:`InputError` for no frames, frames of wrong type or size, a bad rate, a path that
    cannot be written, or a missing encoder.
    """
    if not 0 <= crf <= 51:
        raise InputError(f"film: crf {crf} is outside x264's range; use 0 (lossless) to 51")

    def encode(target: Path, checked: Iterator[np.ndarray]) -> None:
        import imageio.v3 as iio  # loading FFmpeg takes a while: only when it is needed
        from av.error import FFmpegError

        with open(target, "wb", buffering=0) as file:
            sink = _Sink(file, str(target))
            options: dict[str, Any] = {"plugin": "pyav", "extension": ".mp4", "options": {"movflags": "+faststart"}}
            try:
                with iio.imopen(sink, "w", **options) as writer:
                    writer.init_video_stream("libx264", fps=float(fps), pixel_format="yuv420p")
                    _tune(writer, crf)
                    for frame in checked:
                        writer.write_frame(frame)
                        if sink.error is not None:
                            break
            except FFmpegError:
                if sink.error is None:
                    raise
            if sink.error is not None:
                raise sink.error

    check_encoder()
    return _write(path, frames, fps, encode, even=True)


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


def _tune(writer: Any, crf: int) -> None:
    """Options of the encoder itself, for which imageio has no argument (those of ``imopen`` go to the container)."""
    context = writer._video_stream.codec_context
    context.thread_count = 1  # x264's output depends on the number of threads
    context.options = {"preset": "veryfast", "crf": str(crf)}
    context.color_range = 1  # limited range, as yuv420p is read everywhere
    context.colorspace = context.color_primaries = context.color_trc = _SMPTE170M


def check_encoder() -> str:
    """Name and version of the H.264 encoder; raises :class:`InputError` if it is missing."""
    try:
        import av
        import imageio.v3  # noqa: F401

        av.Codec("libx264", "w")
    except (ImportError, OSError, ValueError) as error:
        raise InputError(f"films cannot be encoded ({error}); pip install imageio av") from None
    return f"libx264 by PyAV {av.__version__}"


def write_gif(
    path: str | os.PathLike[str], frames: Iterable[np.ndarray], fps: float = 12, *, max_width: int = 720
) -> Path:
    """Encode ``frames`` as a looping GIF scaled down to ``max_width``, all in one palette.

    A GIF counts hundredths of a second, so 12 frames a second become 12.5. Scaled frames (a
    byte a pixel) are held until the end; for long films prefer MP4. Errors and atomicity as
    :func:`write_mp4`; sizes may be odd.
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

    return _write(path, frames, fps, encode, even=False)


def _scaled(frame: np.ndarray, max_width: int) -> Image.Image:
    image = Image.fromarray(frame)
    if image.width <= max_width:
        return image
    size = (max_width, max(1, round(image.height * max_width / image.width)))
    return image.resize(size, Image.Resampling.LANCZOS)


def _palette(image: Image.Image) -> Image.Image:
    """229 colours of ``image`` and a coarse cube of 27 for whatever comes later."""
    own = (image.quantize(229, method=Image.Quantize.MEDIANCUT).getpalette() or [])[: 3 * 229]
    cube = [value for colour in itertools.product((0, 128, 255), repeat=3) for value in colour]
    palette = Image.new("P", (1, 1))
    palette.putpalette((own + cube + [0] * 768)[:768])
    return palette


def _write(
    path: str | os.PathLike[str],
    frames: Iterable[np.ndarray],
    fps: float,
    encode: Callable[[Path, Iterator[np.ndarray]], None],
    *,
    even: bool,
) -> Path:
    """Have ``encode`` write a temporary file beside ``path``, then rename it.

    The temporary file is locked while it is written, so one that is not locked was left by a
    process that was killed: the next film of the same name removes it.
    """
    path = Path(path)
    if not 0 < fps <= MAX_FPS:
        raise InputError(f"film: {fps} frames per second; use more than 0 and at most {MAX_FPS}")
    checked = _checked(frames, even)
    first = next(checked, None)
    if first is None:
        raise InputError(f"cannot write {path}: there are no frames; give at least one")
    stem = path.stem[:40]  # the name of the part is longer than the film's, which may be as long as names get
    part = path.with_name(f".{stem}.{os.getpid()}-{threading.get_ident()}.part{path.suffix}")
    try:
        if path.is_dir():
            raise InputError(f"cannot write {path}: it is a directory; name a file")
        lock = open(part, "wb")
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}; choose a directory you can write to") from None
    with lock:
        try:
            _lock(lock)
            _remove_stale(path.parent, f".{glob.escape(stem)}.*.part{path.suffix}")
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


def _checked(frames: Iterable[np.ndarray], even: bool) -> Iterator[np.ndarray]:
    size: tuple[int, ...] | None = None
    for number, frame in enumerate(frames):
        check_picture(frame, f"film frame {number}")
        height, width = frame.shape[:2]
        if even and (height % 2 or width % 2):
            raise InputError(f"film frame {number}: {width}x{height} pixels; H.264 needs even sizes, so pad by one")
        if size is not None and frame.shape != size:
            raise InputError(f"film frame {number}: shape {frame.shape} after {size}; all frames need one size")
        size = frame.shape
        yield frame
