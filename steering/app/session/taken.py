"""What is taken away: a Python snippet, a command, a JSON record and a vector file that give exactly what is shown."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from dataclasses import dataclass

from agents.checkpoints.stated import NOTHING, Stated
from envs.errors import InputError
from envs.stored.json_records import to_plain
from steering.app.session.context import Context
from steering.app.session.updates import Update, octets
from steering.interventions.edit_kinds import AddVector, acting
from steering.statistics.formatting import short_site_name

FORMAT = "mazesteer-view-1"
PICTURE = "field.svg"


@dataclass(frozen=True)
class Loaded:
    """What an agent is loaded by."""

    checkpoint: str
    """Its shipped name or its file."""
    stated: Stated = NOTHING
    """What was stated of a file that does not say it itself."""

    @property
    def words(self) -> dict[str, str | int]:
        """Return what was stated, by the names of :func:`load_policy`'s parameters."""
        said = {"activation": self.stated.activation, "scale_pixels": self.stated.scale_pixels}
        return {name: value for name, value in said.items() if value is not None}

    @property
    def call(self) -> str:
        """Return it as Python."""
        return f"load_policy({', '.join([repr(self.checkpoint), *(f'{k}={v!r}' for k, v in self.words.items())])})"

    @property
    def options(self) -> list[str]:
        """Return it as words of a command line."""
        stated = [(f"--{name.replace('_', '-')}", str(value)) for name, value in self.words.items()]
        return [self.checkpoint, *(word for pair in stated for word in pair)]


def taken_update(context: Context, agent: Loaded) -> Update:
    """Return the three texts of a state.

    Args:
        context: the state.
        agent: what the agent is loaded by.
    """
    facts = {
        "python": python_of(context, agent),
        "command": command_of(context, agent),
        "json": json_of(context, agent),
    }
    return Update("taken", facts)


def vector_update(context: Context) -> Update:
    """Return the file of the first vector that is subtracted or added.

    Raises:
        InputError: where no edit that is on has one.
    """
    vector = next((edit.vector for edit in map(acting, context.edits.edits) if isinstance(edit, AddVector)), None)
    if vector is None:
        raise InputError("vector: no edit that is on subtracts or adds one; add one, or switch it on")
    words = re.sub(r"[^A-Za-z0-9.]+", "-", f"{vector.kind} {short_site_name(vector.site)}").strip("-")
    return Update("vector", {"name": f"{words[:100]}.safetensors"}, {"bytes": octets(vector.to_bytes())})


def python_of(context: Context, agent: Loaded) -> str:
    """Return a script that computes the fields and outcomes shown, and draws them; it has no other input."""
    maze, asked = context.maze, context.asked
    own = _as_procgen_made_it(context)
    made = f"Maze.from_level({maze.level}, {maze.mode!r})" if own else f"Maze.from_ascii(DRAWN, {maze.mode!r})"
    drawn = "" if own else f'DRAWN = """\n{asked.maze.text}"""\n'
    edits = "".join(f"    {text!r},\n" for text in _typed(context))
    return f"""from mazesteer import LevelEvaluator, Maze, evaluate, load_policy, show_field
from steering.experiments import edited, read_edits

{drawn}EDITS = [
{edits}]
HORIZON = {asked.horizon}

policy = {agent.call}
maze = {made}
edits = edited(read_edits(EDITS, policy), policy, maze, {context.site.name!r})
evaluator = LevelEvaluator(policy, maze, HORIZON)
(steered,) = evaluator.fields([edits])  # move probabilities [n_states, 5] and values, in the order of maze.states
clean, no_cheese = evaluator.clean, evaluator.no_cheese
print(evaluate(policy, maze, edits, horizon=HORIZON))
figure = show_field(policy, maze, edits, facing={asked.facing!r}, horizon=HORIZON)
"""


def command_of(context: Context, agent: Loaded) -> str:
    """Return the lines for a shell that print the outcomes and draw the panels shown."""
    maze, asked = context.maze, context.asked
    if _as_procgen_made_it(context):
        before, given = "", ["--level", str(maze.level)]
    else:
        drawing = asked.maze.text
        file = f"maze-{hashlib.sha256(drawing.encode()).hexdigest()[:8]}.txt"  # no name that a file of the user has
        before, given = f"cat > {file} <<'END'\n{drawing}END\n", ["--maze", file]
    given += ["--mode", maze.mode, "--site", context.site.name, "--horizon", str(asked.horizon)]
    typed = _typed(context)
    for text in typed:
        given += ["--edit", text]
    given += [] if typed else ["--condition", "clean"]
    drawn = ["--cheese-removed"] if asked.shows("no_cheese") else []
    drawn += ["--facing", asked.facing, "--heat", "visits" if asked.heat.kind == "visits" else "none", "--out", PICTURE]
    numbers = shlex.join(["mazesteer", "outcome", *agent.options, *given])
    return f"{before}{numbers}\n{shlex.join(['mazesteer', 'field', *agent.options, *given, *drawn])}\n"


def json_of(context: Context, agent: Loaded) -> str:
    """Return a record of the view: the agent, the state, and each edit with the origin of its vector."""
    policy = context.policy
    view = {
        "format": FORMAT,
        "agent": {"checkpoint": agent.checkpoint, **agent.words, "name": policy.name, "sha256": policy.sha256},
        "state": to_plain(context.asked),
        "intervention": context.edits.to_json(),
    }
    return json.dumps(view, indent=2, allow_nan=False) + "\n"


def _typed(context: Context) -> list[str]:
    """Return the edits that are on, without the blanks around their commas and equals signs."""
    return [re.sub(r"\s*([,=])\s*", r"\1", edit.text.strip()) for edit in context.asked.edits if edit.on]


def _as_procgen_made_it(context: Context) -> bool:
    """Return whether the maze is its level's own, mouse and cheese included."""
    maze = context.maze
    return maze.level is not None and maze == type(maze).from_level(maze.level, maze.mode)
