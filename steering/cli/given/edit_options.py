"""The options ``--vector``, ``--edit`` and ``--foreign-vectors``, and what they make of a condition."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from envs.errors import InputError
from steering.cli.options import path
from steering.experiments.conditions import BY_NAME, CONDITIONS, EDIT, MAIN, REFERENCES

if TYPE_CHECKING:  # torch, which a command loads when it runs
    from agents.networks.policy import MazePolicy
    from steering.experiments.level_conditions import Given

Edits = Annotated[
    list[str] | None,
    typer.Option(
        "--edit",
        metavar="<edit>",
        help="Condition `edit`: subtract, add, patch, ablate or clamp, then fields, e.g. "
        "subtract,vector=cheese,site=block2.res1.resadd,channels=3+7,place=cheese,coefficient=1.5. Give it again for "
        "more, which act in their order.",
    ),
]
VectorFile = Annotated[Path | None, path("A file of `vector`, in place of the level's own cheese vector.")]
Foreign = Annotated[bool, typer.Option("--foreign-vectors", help="Take vectors of another agent too, if they fit.")]


def conditions_asked(
    asked: Sequence[str] | None, plain: Sequence[str], vector: Path | None, edits: Sequence[str] | None
) -> tuple[str, ...]:
    """Return the conditions that a command computes.

    Args:
        asked: as typed; None: not typed.
        plain: those without any option; with ``--edit`` or ``--vector`` the last gives way to what these are for.
        vector: as typed.
        edits: as typed.

    Raises:
        InputError: for a vector or edits that no condition typed makes use of.
    """
    if asked is None:
        own = EDIT if edits else MAIN if vector is not None else plain[-1]
        asked = (*plain[:-1], own)
    if not asked:
        raise InputError(f"no condition is named; name one or more of {', '.join((*REFERENCES, *CONDITIONS))}")
    if edits and EDIT not in asked:
        raise InputError(f"--edit is the condition {EDIT!r}, not {', '.join(asked)}; add it to the conditions")
    takers = [name for name in CONDITIONS if BY_NAME[name].takes_vector]
    if vector is not None and not set(takers) & set(asked):
        raise InputError(f"--vector is of no use to {', '.join(asked)}; it goes with {', '.join(takers)}")
    return tuple(asked)


def read_given(policy: MazePolicy, vector: Path | None, edits: Sequence[str] | None, foreign: bool) -> Given:
    """Return the vector and the edits that a user typed, for an agent; raise :class:`InputError` for a bad one."""
    from steering.experiments.edit_text import read_edits
    from steering.experiments.level_conditions import Given
    from steering.experiments.vector_kinds import read_vector

    own = None if vector is None else read_vector(vector, policy, foreign=foreign)
    return Given(own, read_edits(edits or (), policy, foreign=foreign))
