"""The session of one client: a state in, updates out, lazily; the client owns the state, the session keeps caches."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from agents.checkpoints.cards import mode_for
from agents.checkpoints.stated import NOTHING, Stated
from agents.networks.policy import MazePolicy
from envs.errors import InputError
from envs.maze import Maze
from envs.stored.json_records import to_plain
from envs.training.levels import EVAL_LEVELS
from steering.app.inside.causal import causal_updates
from steering.app.inside.channels import channel_updates
from steering.app.inside.curve import curve_updates
from steering.app.inside.heat import heat_updates
from steering.app.inside.rollouts import film_updates, rollout_updates
from steering.app.session.context import Context, Contexts
from steering.app.session.fields import lock_of
from steering.app.session.hello import hello, read_curves
from steering.app.session.outcomes import (
    RUNS,
    Pictures,
    field_update,
    field_updates,
    maze_update,
    outcome_updates,
)
from steering.app.session.state import MazeText, Panel, Question, WorkbenchState, read_question, read_state
from steering.app.session.taken import Loaded, taken_update, vector_update
from steering.app.session.updates import Update, problem
from steering.experiments.edit_text import EditText
from steering.experiments.levels import first_levels
from steering.interventions.sites import find_site

Parts = tuple[WorkbenchState, Maze, tuple[EditText, ...]]  # of a state that was read: itself, its maze, its edits
INSIDE = (heat_updates, channel_updates, curve_updates, causal_updates)  # in the order in which they are told


class Session:
    """What one client asks of one agent.

    Args:
        agent: the policy; its network is left as it was.
        run: a run directory whose curves colour the diagram; None: none.
        start: the directory that files may be read from and written to.
        seed: seed of every random draw.
        checkpoint: the name or the file that the agent is loaded by, for what is taken away; None: the agent's name.
        stated: what was stated of that file.

    Raises:
        InputError: for a run that is none, or one of another agent.
    """

    def __init__(
        self,
        agent: MazePolicy,
        *,
        run: Path | None = None,
        start: Path = Path(),
        seed: int = 0,
        checkpoint: str | None = None,
        stated: Stated = NOTHING,
    ) -> None:
        self.agent = agent
        self.loaded = Loaded(agent.name if checkpoint is None else checkpoint, stated)
        self.curves = read_curves(run, agent)
        self.mode = mode_for(None, agent.name, agent.card)
        self._contexts = Contexts(agent, start, seed)
        self._pictures = Pictures()
        self._rng = np.random.default_rng(seed)
        self._lock = lock_of(agent.net)

    def hello(self) -> Update:
        """Return what a client is told once: the agent, its sites, the library of mazes, the words of edits."""
        with self._lock:
            return hello(self.agent, self._contexts, self.mode, self.curves)

    def work(self, state: object, seq: int = 0) -> Iterator[Update]:
        """Yield the updates of a state; each step is a short piece of work, and dropping the iterator ends it.

        Args:
            state: what the client sent, of :class:`steering.app.session.state.WorkbenchState`.
            seq: number of the message; of no effect.

        Returns:
            ``maze``, ``field`` of each panel shown, ``outcome`` and so on, ``done``; of a state that is refused one
            ``problem``.
        """
        return self._guarded(self._work(state))

    def ask(self, message: object) -> Iterator[Update]:
        """Yield the answer to a question: an update of its own kind, or one ``problem``."""
        return self._guarded(self._answer(message))

    def _guarded(self, steps: Iterator[Update]) -> Iterator[Update]:
        """Yield what ``steps`` give; only one session uses the network at a time."""
        while True:
            with self._lock:
                update = next(steps, None)
            if update is None:
                return
            yield update

    def _read(self, state: object) -> Parts | Update:
        """Return the parts of a state, or the problem with it."""
        try:
            asked = read_state(state)
        except InputError as error:
            return problem(error, "state")
        try:
            maze = asked.maze.made()
        except InputError as error:
            return problem(error, "maze")
        try:
            find_site(self.agent.net, asked.site)
            return asked, maze, self._contexts.texts(asked)
        except InputError as error:
            return problem(error, "edit")

    def _understood(self, parts: Parts | Update) -> Context | Update:
        """Return the context of a state, or the problem with it."""
        if isinstance(parts, Update):
            return parts
        try:
            return self._contexts.context(*parts)
        except InputError as error:
            return problem(error, "edit")

    def _work(self, state: object) -> Iterator[Update]:
        begun = time.perf_counter()
        parts = self._read(state)
        if isinstance(parts, Update):
            yield parts
            return
        asked, maze, texts = parts
        shown = [run for run in RUNS if asked.shows(run)]
        early: list[Panel] = []
        slow = self._contexts.slow(asked, maze, texts)
        if slow:  # fields without edits need not wait for a vector that is averaged over all states
            alone = self._contexts.context(asked, maze, ())
            yield maze_update(alone, self._pictures.of(alone))
            early = [run for run in shown if run != "steered"]
            yield from field_updates(alone, early)
        context = self._understood(parts)
        if isinstance(context, Update):
            yield context
            return
        try:
            if not slow:
                yield maze_update(context, self._pictures.of(context))
            yield from field_updates(context, [run for run in shown if run not in early])
            for _ in context.chunks(("clean", "no_cheese")):  # what outcomes are read against, where it is not shown
                yield field_update(context, "clean", np.zeros(0, dtype=np.int64))
            yield from outcome_updates(context, shown)
            for inside in INSIDE:
                yield from inside(context)
        except InputError as error:
            yield problem(error, "edit")
            return
        yield Update("done", {"ms": round(1_000 * (time.perf_counter() - begun), 1)})

    def _answer(self, message: object) -> Iterator[Update]:
        try:
            question = read_question(message)
            if question.what in ("level", "first"):
                yield Update("level", {"maze": to_plain(MazeText.of(self._level(question)))})
                return
            context = self._understood(self._read(message.get("state") if isinstance(message, dict) else None))
            if isinstance(context, Update):
                yield context
            elif question.what == "taken":
                yield taken_update(context, self.loaded)
            elif question.what == "vector":
                yield vector_update(context)
            elif question.what == "rollouts":
                yield from rollout_updates(context, question.seed)
            else:
                yield from film_updates(context, question.seed)
        except InputError as error:
            yield problem(error, "ask")

    def _level(self, question: Question) -> Maze:
        mode = question.mode or self.mode
        if question.what == "first":
            return first_levels(1, mode)[0][0]
        drawn = int(self._rng.integers(*EVAL_LEVELS)) if question.level is None else question.level
        return Maze.from_level(drawn, mode)
