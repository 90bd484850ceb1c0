"""What is taken away: a Python snippet, a command, a JSON record and a vector file that give exactly what is shown."""

from __future__ import annotations

import json
import re
import shlex

from envs.errors import InputError
from envs.stored.json_records import to_plain
from steering.app.session.context import Context
from steering.app.session.updates import Update, octets
from steering.interventions.edit_kinds import AddVector
from steering.statistics.formatting import short_site_name

FORMAT = "mazesteer-view-1"
MAZE_FILE = "maze.txt"
PICTURE = "field.svg"


def taken_update(context: Context, checkpoint: str) -> Update:
    """Return the three texts of a state.

    Args:
        context: the state.
        checkpoint: the name or the file that the agent is loaded by.
    """
    facts = {
        "python": python_of(context, checkpoint),
        "command": command_of(context, checkpoint),
        "json": json_of(context, checkpoint),
    }
    return Update("taken", facts)


def vector_update(context: Context) -> Update:
    """Return the file of the first vector that is subtracted or added.

    Raises:
        InputError: where no edit that is on has one.
    """
    vector = next((edit.vector for edit in context.edits.edits if isinstance(edit, AddVector)), None)
    if vector is None:
        raise InputError("vector: no edit that is on subtracts or adds one; add one, or switch it on")
    words = re.sub(r"[^A-Za-z0-9.]+", "-", f"{vector.kind} {short_site_name(vector.site)}").strip("-")
    return Update("vector", {"name": f"{words[:100]}.safetensors"}, {"bytes": octets(vector.to_bytes())})


def python_of(context: Context, checkpoint: str) -> str:
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

policy = load_policy({checkpoint!r})
maze = {made}
edits = edited(read_edits(EDITS, policy), policy, maze, {context.site.name!r})
evaluator = LevelEvaluator(policy, maze, HORIZON)
(steered,) = evaluator.fields([edits])  # move probabilities [n_states, 5] and values, in the order of maze.states
clean, no_cheese = evaluator.clean, evaluator.no_cheese
print(evaluate(policy, maze, edits, horizon=HORIZON))
figure = show_field(policy, maze, edits, facing={asked.facing!r}, horizon=HORIZON)
"""


def command_of(context: Context, checkpoint: str) -> str:
    """Return the lines for a shell that print the outcomes and draw the panels shown."""
    maze, asked = context.maze, context.asked
    if _as_procgen_made_it(context):
        before, given = "", ["--level", str(maze.level)]
    else:
        before, given = f"cat > {MAZE_FILE} <<'END'\n{asked.maze.text}END\n", ["--maze", MAZE_FILE]
    given += ["--mode", maze.mode, "--site", context.site.name, "--horizon", str(asked.horizon)]
    typed = _typed(context)
    for text in typed:
        given += ["--edit", text]
    given += [] if typed else ["--condition", "clean"]
    drawn = ["--cheese-removed"] if asked.shows("no_cheese") else []
    drawn += ["--facing", asked.facing, "--heat", "visits" if asked.heat.kind == "visits" else "none", "--out", PICTURE]
    numbers = shlex.join(["mazesteer", "outcome", checkpoint, *given])
    return f"{before}{numbers}\n{shlex.join(['mazesteer', 'field', checkpoint, *given, *drawn])}\n"


def json_of(context: Context, checkpoint: str) -> str:
    """Return a record of the view: the agent, the state, and each edit with the origin of its vector."""
    agent = {"checkpoint": checkpoint, "name": context.policy.name, "sha256": context.policy.sha256}
    view = {
        "format": FORMAT,
        "agent": agent,
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
