"""Frames into files: MP4 (H.264) and WebM (VP9) by imageio and PyAV, GIF by Pillow; a file is whole or not there.

The same frames give the same bytes (with the same library versions): the number of the encoder's
threads is fixed and no date is stored.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import itertools
import os
from collections.abc import Callable, Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import TypeVar

import numpy as np
from PIL import Image

from envs.errors import RANGES, InputError, one_line
from envs.files import part_beside, replacing
from videos.ffmpeg import Codec, Timed, encode
from videos.frames import ACCENTS, BAR, LIT, blend, check_picture

_Opened = TypeVar("_Opened")


CODECS = {
    ".mp4": Codec(
        "libx264", "yuv420p", {"preset": "veryfast", "crf": "{crf}"}, {"movflags": "+faststart"}, 2, (18, 51)
    ),
    ".webm": Codec(
        "libvpx-vp9",
        "yuv420p",
        {"deadline": "realtime", "cpu-used": "8", "crf": "{crf}", "b": "0"},
        {"fflags": "+bitexact"},
        1,
        (30, 63),
    ),
    ".gif": Codec("gif", "pal8", {}, {}, 1),
}


def check_film_path(path: str | os.PathLike[str]) -> Path:
    """Return ``path`` if a film can be written there; raise :class:`InputError` for a wrong suffix or place.

    To be called before the work of a film is begun.
    """
    path = Path(path)
    if path.suffix.lower() not in CODECS:
        raise InputError(
            f"cannot write {path}: unknown film format {path.suffix!r}; end the name in .mp4, .webm or .gif"
        )
    with contextlib.ExitStack() as stack:
        _enter(stack, path, part_beside)
    return path


def write_film(path: str | os.PathLike[str], frames: Iterable[np.ndarray], fps: float = 12) -> Path:
    """Write a film in the format that the suffix of ``path`` names, whole or not at all.

    Args:
        path: the file, its name ending in ``.mp4``, ``.webm`` or ``.gif``.
        frames: pictures ``uint8[h, w, 3]`` of one size; they are taken one by one.
        fps: frames per second, .01 to 60.

    Returns:
        The path.

    Raises:
        InputError: for another suffix, and as :func:`write_video` does.

    Example:
        >>> frames = [np.full((64, 64, 3), shade, np.uint8) for shade in (0, 128, 255)]
        >>> write_film("film.webm", frames, fps=2).name
        'film.webm'
    """
    path = check_film_path(path)
    return write_gif(path, frames, fps) if path.suffix.lower() == ".gif" else write_video(path, frames, fps)


def write_video(
    path: str | os.PathLike[str], frames: Iterable[np.ndarray], fps: float = 12, *, crf: int | None = None
) -> Path:
    """Encode frames as H.264 or VP9, yuv420p, by the suffix of ``path``.

    The file appears under its name only when complete; after any error, also one raised by ``frames``, nothing is left
    behind.

    Args:
        path: the file, its name ending in ``.mp4`` or ``.webm``.
        frames: pictures ``uint8[h, w, 3]`` of one size, taken one by one, so memory does not grow with their number;
            odd sizes are padded by a pixel of the edge.
        fps: frames per second, .01 to 60.
        crf: the encoder's constant rate factor, 0 (best) to 51 (H.264) or 63 (VP9); None: 18 or 30.

    Returns:
        The path.

    Raises:
        InputError: no frames, frames of wrong type or size, a bad rate or factor, a path that cannot be written, or a
            missing encoder.

    Example:
        >>> frames = [np.full((64, 64, 3), shade, np.uint8) for shade in (0, 128, 255)]
        >>> write_video("film.mp4", frames, fps=2, crf=28).name
        'film.mp4'
    """
    path = Path(path)
    codec = CODECS[path.suffix.lower()]
    default, largest = codec.crf
    if crf is not None and not 0 <= crf <= largest:
        raise InputError(f"film: crf {crf} is outside the range of {codec.name}; use 0 (best) to {largest}")
    options = {key: value.format(crf=default if crf is None else crf) for key, value in codec.options.items()}
    rate = _rate(fps)

    def prepared(checked: Iterator[np.ndarray]) -> Iterator[Timed]:
        return ((number, _even(frame)) for number, frame in enumerate(checked))

    return _write(path, _checked(frames), prepared, dataclasses.replace(codec, options=options), rate, 1 / rate)


def _even(frame: np.ndarray) -> np.ndarray:
    """Return the frame with even sides, as yuv420p needs: an odd one is grown by a copy of its last row or column."""
    height, width = frame.shape[:2]
    if height % 2 or width % 2:
        return np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
    return frame


def check_encoder(name: str = CODECS[".mp4"].name) -> str:
    """Look for an encoder.

    Args:
        name: name of the encoder in FFmpeg.

    Returns:
        Its name with the version of PyAV that has it.

    Raises:
        InputError: the encoder, PyAV or imageio is missing.

    Example:
        >>> check_encoder("libx264").split()[0]
        'libx264'
    """
    try:
        import av
        import imageio.v3  # noqa: F401

        av.Codec(name, "w")
    except (ImportError, OSError, ValueError) as error:
        raise InputError(f"films cannot be encoded ({one_line(error)}); pip install imageio av") from None
    return f"{name} by PyAV {av.__version__}"


def write_gif(
    path: str | os.PathLike[str],
    frames: Iterable[np.ndarray],
    fps: float = 12,
    *,
    max_width: int = 720,
    colours_of: np.ndarray | None = None,
) -> Path:
    """Encode frames as a looping GIF, all in one palette; memory and atomicity as :func:`write_video`.

    A GIF counts hundredths of a second, and players slow down pictures shorter than two of them.

    Args:
        path: the file.
        frames: pictures ``uint8[h, w, 3]`` of one size.
        fps: frames per second, .01 to 60; beyond 50 each is shown for two hundredths.
        max_width: wider frames are scaled down to this many pixels, 2 or more.
        colours_of: a picture ``uint8[h, w, 3]`` of all colours that are seen, rare ones too; None: the first frame,
            with the colours of a film's marks.

    Returns:
        The path.

    Raises:
        InputError: as :func:`write_video`, and for a width below 2.

    Example:
        >>> frames = [np.full((64, 64, 3), shade, np.uint8) for shade in (0, 128, 255)]
        >>> write_gif("film.gif", frames, fps=2).name
        'film.gif'
    """
    if max_width < 2:
        raise InputError(f"film: a GIF {max_width} pixels wide is too small; use at least 2")
    rate = _rate(fps)

    def prepared(checked: Iterator[np.ndarray]) -> Iterator[Timed]:
        images = (_scaled(frame, max_width) for frame in checked)
        first = next(images)
        palette = _palette(first) if colours_of is None else _whole_palette(Image.fromarray(colours_of))
        colours = np.full((256, 4), 255, dtype=np.uint8)  # alpha first
        colours[:, 1:] = np.reshape(palette.getpalette() or [], (256, 3))
        for number, image in enumerate(itertools.chain([first], images)):
            indices = np.array(image.quantize(palette=palette, dither=Image.Dither.NONE))
            yield round(number * max(Fraction(2), 100 / rate)), (indices, colours)

    return _write(Path(path), _checked(frames), prepared, CODECS[".gif"], rate, Fraction(1, 100))


def _rate(fps: float) -> Fraction:
    return Fraction(float(RANGES["fps"].check(fps))).limit_denominator(1001)


def _scaled(frame: np.ndarray, max_width: int) -> Image.Image:
    image = Image.fromarray(frame)
    if image.width <= max_width:
        return image
    size = (max_width, max(1, round(image.height * max_width / image.width)))
    return image.resize(size, Image.Resampling.LANCZOS)


def _palette(image: Image.Image) -> Image.Image:
    """Return the colours of trails and lit captions, which a first picture lacks, a cube of 27, and the image's."""
    accents = [colour for accent in ACCENTS for colour in (accent, blend(accent, BAR, LIT))]
    cube = list(itertools.product((0, 128, 255), repeat=3))
    own = image.quantize(256 - len(accents) - len(cube), method=Image.Quantize.MEDIANCUT).getpalette() or []
    fixed = [value for colour in (*accents, *cube) for value in colour]
    palette = Image.new("P", (1, 1))
    palette.putpalette((fixed + own + [0] * 768)[:768])
    return palette


def _whole_palette(image: Image.Image) -> Image.Image:
    """Return 256 colours of an image; a rare colour far from others has its own."""
    own = image.quantize(256, method=Image.Quantize.FASTOCTREE).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette((own + [0] * 768)[:768])
    return palette


def _write(
    path: Path,
    checked: Iterator[np.ndarray],
    prepared: Callable[[Iterator[np.ndarray]], Iterator[Timed]],
    codec: Codec,
    rate: Fraction,
    unit: Fraction,
) -> Path:
    """Encode into a temporary file beside ``path``, then rename it."""
    check_encoder(codec.name)
    first = next(checked, None)
    if first is None:
        raise InputError(f"cannot write {path}: there are no frames; give at least one")
    try:
        with contextlib.ExitStack() as stack:
            part = _enter(stack, path, replacing)
            encode(part, path.suffix.lower(), prepared(itertools.chain([first], checked)), codec, rate, unit)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise InputError(f"cannot write {path}: {error.strerror}; is there room on the disk?") from None
        raise
    return path


def _enter(
    stack: contextlib.ExitStack, path: Path, opened: Callable[[Path], contextlib.AbstractContextManager[_Opened]]
) -> _Opened:
    """Open a temporary file for ``path`` on ``stack``; raise :class:`InputError` if it cannot be made."""
    try:
        if path.is_dir():
            raise InputError(f"cannot write {path}: it is a directory; name a file")
        return stack.enter_context(opened(path))
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror}; choose a directory you can write to") from None


def _checked(frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    size: tuple[int, ...] | None = None
    for number, frame in enumerate(frames):
        check_picture(frame, f"film frame {number}")
        if size is not None and frame.shape != size:
            raise InputError(f"film frame {number}: shape {frame.shape} after {size}; all frames need one size")
        size = frame.shape
        yield frame
