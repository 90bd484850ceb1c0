"""Under which name and basis the rows of a pass are kept: for those who measure them, and those who read them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from envs.stored.json_records import to_plain
from steering.measuring.rows import digest_of
from steering.records.anatomy.summary import AnatomySettings


def row_basis(settings: AnatomySettings, basis: Mapping[str, Any], *, of_all: bool = False) -> str:
    """Return the digest of all that a row depends on, besides its level, the agent and the device.

    Args:
        settings: of the command.
        basis: plain numbers and names that the rows of the pass depend on besides.
        of_all: whether they depend on which levels are measured.
    """
    left = ("parts", "device") if of_all else ("parts", "device", "levels")
    shared = {name: value for name, value in to_plain(settings).items() if name not in left}
    return digest_of({**shared, **basis})


def rows_name(part: str, name: str) -> str:
    """Return the name under which the rows of a pass of a part are kept; ``name`` is empty for the first."""
    return f"anatomy {part} {name}".rstrip()
