"""One state, understood: the maze, the edits as an intervention, the order of the states, and fields as they are known.

What the workbench shows of a state is computed from its :class:`Context` alone.
"""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from agents.networks.policy import MazePolicy, device_of
from envs.errors import InputError, nearest, shown
from envs.maze import Maze
from steering.app.session.fields import Field, Fields
from steering.app.session.frames import Kept, start_of, world_of
from steering.app.session.state import WorkbenchState
from steering.experiments.edit_fields import FIELDS, TAKEN
from steering.experiments.edit_text import EditText
from steering.experiments.exact import GPU_CHUNK, LevelEvaluator, StatePolicy
from steering.experiments.vector_kinds import read_vector
from steering.interventions.edit_kinds import AddVector, AnyEdit, AtMouse, acting
from steering.interventions.edits import Intervention
from steering.interventions.partial import PartialNetwork
from steering.interventions.sites import Site, find_site
from steering.interventions.vectors import SteeringVector

FIRST, CHUNK = 8, 64  # states in the first chunk, and in those after it
MOST_TAKEN = 2**25  # bytes of the vectors kept
MOST_FOUND = 2**26  # of what is found out step by step
SUFFIX = ".safetensors"


@dataclass
class Context:
    """One state of the workbench, and what is known of it."""

    policy: MazePolicy
    """The agent."""
    maze: Maze
    """The maze, with its cheese, the mouse at its start."""
    texts: tuple[EditText, ...]
    """The edits that are on, as typed."""
    edits: Intervention
    """The same for this agent in this maze."""
    site: Site
    """The site chosen."""
    asked: WorkbenchState
    """The state as the client sent it: panels, heat map, slow things, horizon."""
    fields: Fields
    """What computes and keeps fields and pictures."""
    start: Path
    """The directory that files may be read from and written to."""
    seed: int
    """Seed of every random draw."""
    kept: Kept[object]
    """What was found out for other states of the session, by all that it depends on."""

    @property
    def network(self) -> PartialNetwork | None:
        """Return the network, traced; None for one that cannot be: hooks serve then."""
        return self.fields.network

    @functools.cached_property
    def bare(self) -> Maze:
        """Return the maze without its cheese."""
        return self.maze.without_cheese()

    @functools.cached_property
    def order(self) -> np.ndarray:
        """Return the indices of all states, outward from the mouse: ``int64[n_states]``."""
        steps = np.repeat(self.maze.distances(self.maze.mouse), 2)
        return np.argsort(steps, kind="stable")

    def field(self, run: str) -> Field:
        """Return the field of ``clean``, ``steered`` or ``no_cheese`` as far as it is known."""
        if run == "no_cheese":
            return self.fields.field(self.bare)
        return self.fields.field(self.maze, self.edits if run == "steered" else None)

    def compute(self, runs: Sequence[str], which: np.ndarray) -> None:
        """Fill rows ``int[m]`` of fields; raise :class:`InputError` for edits that make numbers overflow."""
        if "no_cheese" in runs:
            self.fields.compute(self.bare, Intervention(), which[~self.field("no_cheese").known[which]])
        if "steered" in runs:
            self.fields.compute(self.maze, self.edits, which)
        elif "clean" in runs:
            self.fields.compute(self.maze, Intervention(), which[~self.field("clean").known[which]])

    def chunks(self, runs: Sequence[str], first: int = FIRST) -> Iterator[np.ndarray]:
        """Compute fields outward from the mouse; yield the states ``int[m]`` of each chunk when they are there."""
        known = np.all([self.field(run).known for run in runs], axis=0)
        left = self.order[~known[self.order]]
        later = GPU_CHUNK if device_of(self.policy.net).type != "cpu" else CHUNK
        while len(left):
            chunk, left = left[:first], left[first:]
            self.compute(runs, chunk)
            yield chunk
            first = later

    @property
    def clean(self) -> StatePolicy:
        """Return the policy left alone, ``float64[n_states, 5]``; whole once all fields were streamed."""
        return self.field("clean").policy

    @property
    def steered(self) -> StatePolicy:
        """Return the policy under the edits."""
        return self.field("steered").policy

    @property
    def no_cheese(self) -> StatePolicy:
        """Return the policy left alone on the maze without its cheese."""
        return self.field("no_cheese").policy

    @functools.cached_property
    def evaluator(self) -> LevelEvaluator:
        """Return the package's evaluator of this maze, that knows both references; once these are whole."""
        return LevelEvaluator.known(
            self.policy, self.maze, self.asked.horizon, self.clean, self.no_cheese, self.network
        )


class Contexts:
    """Makes contexts of one agent, and keeps what they share.

    Args:
        policy: the agent.
        start: the directory that files may be read from and written to.
        seed: seed of every random draw.
    """

    def __init__(self, policy: MazePolicy, start: Path, seed: int) -> None:
        self.policy, self.start, self.seed = policy, start, seed
        self.fields = Fields(policy)
        self._taken: Kept[Intervention] = Kept(MOST_TAKEN)
        self._found: Kept[object] = Kept(MOST_FOUND)

    def texts(self, asked: WorkbenchState) -> tuple[EditText, ...]:
        """Return the edits that are on; raise :class:`InputError` for a text or a file that does not fit."""
        return tuple(EditText.parse(edit.text, self._read).named(self.policy.net) for edit in asked.edits if edit.on)

    def context(self, asked: WorkbenchState, maze: Maze, texts: Sequence[EditText]) -> Context:
        """Return the context of a state; raise :class:`InputError` where site or maze lacks what it asks for."""
        site = find_site(self.policy.net, asked.site)
        edits = sum((self._made(text, maze, site) for text in texts), Intervention())
        given = self.fields, self.start, self.seed, self._found
        return Context(self.policy, maze, tuple(texts), edits, site, asked, *given)

    def slow(self, asked: WorkbenchState, maze: Maze, texts: Sequence[EditText]) -> bool:
        """Return whether a vector is still to be averaged over all states, which takes as long as a field."""
        site = find_site(self.policy.net, asked.site)
        return any(_averaged(text) and self._taken.get(_key(text, maze, site)) is None for text in texts)

    def _made(self, text: EditText, maze: Maze, site: Site) -> Intervention:
        """Return what a text means in a maze; its vector is taken once, whatever its coefficient."""
        key = _key(text, maze, site)
        made = self._taken.get(key)
        if made is None:
            made = _unit(text).on(self.policy, maze, site.name)
            size = sum(4 * vector.tensor.numel() for vector in made.vectors.values())
            self._taken.put(key, made, 1_000 + size)
        return Intervention(tuple(_times(edit, text.coefficient) for edit in made.edits))

    def _read(self, name: str) -> SteeringVector:
        """Return the vector of a file of the start directory."""
        return read_vector(vector_file(self.start, name), self.policy)


def _times(edit: AnyEdit, factor: float) -> AnyEdit:
    """Return an edit with a multiple of the coefficient that it has; others have none."""
    done = acting(edit)
    if not isinstance(done, AddVector):
        return edit
    scaled = dataclasses.replace(done, coefficient=done.coefficient * factor)
    return dataclasses.replace(edit, edit=scaled) if isinstance(edit, AtMouse) else scaled


def _unit(text: EditText) -> EditText:
    return dataclasses.replace(text, coefficient=1.0)


def _key(text: EditText, maze: Maze, site: Site) -> Hashable:
    """Return all that the intervention of an edit depends on, but its coefficient."""
    anywhere = _averaged(text) and text.place is None
    return _unit(text), (world_of(maze), maze.level) if anywhere else start_of(maze), text.fixed or site.name


def _averaged(text: EditText) -> bool:
    """Return whether the vector of an edit is a mean over all states."""
    named = "vector" in FIELDS[text.kind] and isinstance(text.vector, str)
    return named and "mean" in (text.taken, TAKEN[str(text.vector)][1])


def vector_file(start: Path, name: str) -> Path:
    """Return the path of a vector file, which lies in the directory ``start`` itself.

    Raises:
        InputError: for a name that is none of a file there, or a link that leads out of it.
    """
    path = start / name
    plain = Path(name).name == name and name.endswith(SUFFIX) and name.isprintable()
    if not plain or not os.path.isfile(path):
        known = nearest(name[:80], (*TAKEN, *vector_files(start)))
        raise InputError(f"no vector file {shown(name)!r} in the directory that the workbench was started in; {known}")
    if path.resolve().parent != start.resolve():
        raise InputError(f"{shown(name)}: is a link out of the directory; copy the file there")
    return path


def vector_files(start: Path) -> list[str]:
    """Return the names of the vector files that a directory holds, at most 200."""
    return sorted(path.name for path in start.glob(f"*{SUFFIX}") if path.is_file())[:200]
