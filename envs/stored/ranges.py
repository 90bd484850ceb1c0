"""Ranges and sizes of what records hold, as types for their fields; :mod:`envs.stored.json_records` enforces them.

Settings have the ranges of the options that make them, :data:`envs.errors.RANGES`. A field without one of these types
may hold any finite number of its own.
"""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from envs.errors import RANGES, Range

ROUNDING = 1e-6  # by which sums of floating-point numbers may leave a range
MOST = 2**53  # beyond, numbers in JSON are not exact everywhere


def _of(option: str) -> Meta:
    """Return the range of an option."""
    found: Range = RANGES[option]
    return Meta(ge=found.low, le=found.high)


Name = Annotated[str, Meta(max_length=255, pattern=r"^[^\x00-\x1f\x7f]*\Z")]
"""A name: of an agent, a site, a condition; without control characters."""
FileName = Annotated[str, Meta(max_length=255, pattern=r"^(?!\.{0,2}\Z)[^\x00-\x1f\x7f/]*\Z")]
"""A name that can be, or be part of, that of a file in a folder."""
Line = Annotated[str, Meta(max_length=2_000)]
"""A sentence or two."""
Text = Annotated[str, Meta(max_length=3_000_000)]
"""Text of any other kind."""
Digest = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
"""A SHA-256 in hexadecimal digits."""
Mode = Annotated[str, Meta(pattern=r"^(hard|easy)\Z")]
"""Procgen's distribution mode."""
Device = Annotated[str, Meta(pattern=r"^(cpu|cuda)\Z")]
"""Kind of device that the network computed on."""

Count = Annotated[int, Meta(ge=0, le=MOST)]
"""A number of things, 0 or more."""
Positive = Annotated[int, Meta(ge=1, le=MOST)]
"""A number of things, 1 or more."""
Flag = Annotated[int, Meta(ge=0, le=1)]
"""0: no, 1: yes."""
LevelSeed = Annotated[int, _of("level")]
"""Seed of a level that procgen can make."""
RandomSeed = Annotated[int, _of("seed")]
"""Seed of what is drawn at random."""
Cell = tuple[Annotated[int, Meta(ge=0, le=24)], Annotated[int, Meta(ge=0, le=24)]]
"""A cell of a maze: column and row from its bottom left."""
Horizon = Annotated[int, _of("horizon")]
"""Most moves of an episode; procgen ends it after 500."""

Number = Annotated[float, Meta(ge=-1e300, le=1e300)]
"""Any finite number."""
NonNegative = Annotated[float, Meta(ge=-ROUNDING, le=1e300)]
"""A finite number, 0 or more."""
Coefficient = Annotated[float, _of("coefficient")]
"""A multiple of a vector."""
Draws = Annotated[int, _of("random-draws")]
"""Results of what is drawn at random."""
Episodes = Annotated[int, _of("episodes")]
"""Rollouts recorded."""
Share = Annotated[float, _of("uniform-starts")]
"""A share that is asked for, 0 to 1."""
Scale = Annotated[float, _of("scale")]
"""Width of a network of the published architecture."""
Threshold = Annotated[float, _of("threshold")]
"""A threshold of blindness or of competence."""
Probability = Annotated[float, Meta(ge=-ROUNDING, le=1 + ROUNDING)]
"""A probability, 0 to 1."""
Difference = Annotated[float, Meta(ge=-1 - ROUNDING, le=1 + ROUNDING)]
"""A difference of two probabilities, -1 to 1."""
AtMostOne = Annotated[float, Meta(ge=-1e300, le=1 + ROUNDING)]
"""A share explained or undone, at most 1."""
