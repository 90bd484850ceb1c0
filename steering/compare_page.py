"""``compare.html``, ``compare.md`` and ``compare.json``: what ``mazesteer compare`` writes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agents.checkpoints import load_card, write_atomic, zoo_names
from agents.history import FILE as HISTORY
from agents.history import read_history
from envs.errors import InputError
from steering import figures_compare, words
from steering.compare import compare, find_runs, read_arms
from steering.compare_readings import readings_table, side_by_side
from steering.depth_axis import short
from steering.development import RULE, loss_curves, snapshots
from steering.page import Figure, write_page

LEAST = 0.01  # a difference of blindness worth a word
FEW_ARMS = 5  # with more, differences to the first are a table only


def run_compare(
    runs: Sequence[Path],
    out: Path,
    *,
    seed: int,
    blindness: float | None = None,
    competence: float | None = None,
    history: Path | None = None,
) -> dict[str, Any]:
    """Compare ``runs`` and write the three files into ``out``; returns the data of ``compare.json``.

    ``blindness``, ``competence``: thresholds; None: the runs' own. ``history`` is the directory of a training run
    whose loss is shown beside its snapshots (default: the card of a shipped agent).
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file; choose another --out")
    if history is not None and not (history / HISTORY).is_file():
        raise InputError(f"--history {history}: no {HISTORY} there; give the --out of a training")
    arms = read_arms(find_runs(runs))
    data = compare(arms, seed=seed, blindness=blindness, competence=competence)
    data["readings"], data["no_readings"] = side_by_side(arms, data)
    series = snapshots([arm.spec.checkpoint for arm in arms])
    if history is not None and series is None:
        raise InputError("--history belongs to snapshots NAME@COUNT of one training; these runs are none")
    if series is not None:
        name, counts = series
        rows = read_history(history) if history is not None else _card_history(name)
        data["development"] = {"of": name, "counts": counts, "loss": loss_curves(rows), "rule": RULE}
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{out}: cannot be made ({error.strerror}); choose another --out") from None
    write_atomic(out / "compare.json", (json.dumps(data, indent=2, allow_nan=False) + "\n").encode())
    write_page(
        "compare",
        out / "compare.html",
        _figures(data),
        data=data,
        answer=answer(data),
        table=_table(data),
        readings=_readings(data),
        effects=_effects(data) if len(data["arms"]) <= FEW_ARMS else [words.fill(words.MANY)],
        methods=_methods(data),
    )
    return data


def answer(data: Mapping[str, Any]) -> str:
    """What the comparison shows, from its numbers."""
    first = data["arms"][0]
    lines = [f"On {len(data['levels'])} mazes that all runs share, the boundary of {first['name']} is {_reach(first)}"]
    lines += [f"that of {arm['name']} {_reach(arm)}" for arm in data["arms"][1:]]
    text = "; ".join(lines) + "."
    if len(data["arms"]) <= FEW_ARMS:
        text += "".join(f" Blindness of {row['of']} {_apart(row, data['classes'])}." for row in data["differences"])
    return text


def _apart(row: Mapping[str, Any], classes: Sequence[str]) -> str:
    """Where two runs differ, of the distinct experiments."""
    first = {name: point for point, name in reversed(list(zip(row["blindness"], classes, strict=True)))}
    points = [point for point in first.values() if point["low"] is not None]
    apart = [p for p in points if (p["low"] > 0 or p["high"] < 0) and abs(p["difference"]) >= LEAST]
    if not apart:
        return f"differs from that of {row['against']} by {LEAST:g} or more at no site"
    most = max(apart, key=lambda p: abs(p["difference"]))
    return (
        f"differs from that of {row['against']} by {LEAST:g} or more at {len(apart)} of {len(points)} distinct sites, "
        f"most at {short(most['site'])} ({most['difference']:+.2f}, 95% paired interval {most['low']:.2f} to "
        f"{most['high']:.2f})"
    )


def _reach(arm: Mapping[str, Any]) -> str:
    found = arm["boundary"]
    if found["site"] is None:
        return "nowhere"
    low, high = (short(found[end]) if found[end] else "nowhere" for end in ("low", "high"))
    return f"{short(found['site'])} (95% interval {low} to {high})"


def _effects(data: Mapping[str, Any]) -> list[str]:
    return [
        f"{row['of']} against {row['against']}: {effect['words']}"
        for row in data["differences"]
        for effect in row["effects"].values()
    ]


def _card_history(name: str) -> list[dict[str, Any]]:
    if name not in zoo_names():
        return []
    history: list[dict[str, Any]] = load_card(name).get("history", [])
    return history


def _figures(data: Mapping[str, Any]) -> list[Figure]:
    made = {"compare-curves": figures_compare.curves_figure(data)}
    if len(data["arms"]) <= FEW_ARMS:
        made["compare-differences"] = figures_compare.differences_figure(data)
    if "development" in data:
        part = data["development"]
        made["development"] = figures_compare.development_figure(data, part["counts"], part["loss"])
    values = {"mazes": len(data["levels"]), "rule": RULE}
    return [
        Figure(name, words.fill(words.FIGURES[name][0], **values), words.fill(words.FIGURES[name][1], **values), figure)
        for name, figure in made.items()
    ]


def _table(data: Mapping[str, Any]) -> list[list[str]]:
    rows = []
    for arm in data["arms"]:
        found = arm["boundary"]
        ends = [short(found[end]) if found[end] else "none" for end in ("site", "low", "high", "change_site")]
        rows.append(
            [arm["name"], ends[0], f"{ends[1]} to {ends[2]}", ends[3]]
            + [words.number(arm["reference"][w][o]) for w, o in (("clean", "p_cheese"), ("no_cheese", "p_region"))]
        )
    return rows


def _readings(data: Mapping[str, Any]) -> dict[str, Any] | None:
    """The table of readings and its caption, if there is one; of many arms that of their mean alone."""
    found = data["readings"]
    if found is None:
        return None
    many = len(data["arms"]) > FEW_ARMS
    columns = {} if many else {arm["name"]: part for arm, part in zip(data["arms"], found["arms"], strict=True)}
    if found["over_agents"] is not None:
        columns["mean of the agents"] = found["over_agents"]
    if not columns:
        return None
    header, *rows = readings_table(columns)
    text = f"{words.COMPARED_READINGS} {words.MANY_READINGS}" if many else words.COMPARED_READINGS
    return {
        "header": header,
        "rows": rows,
        "caption": words.fill(text, mazes=found["levels"], sites=len(found["sites"])),
    }


def _methods(data: Mapping[str, Any]) -> list[str]:
    lines = [words.fill(words.COMPARED, **data["thresholds"], seed=data["seed"])]
    if data["no_readings"]:
        lines.append(f"Readings of the probes are not shown side by side: {data['no_readings']}.")
    if data["over_agents"] is not None:
        found = {key: value or "none" for key, value in data["over_agents"].items()}
        lines.append("Over agents. " + words.fill(words.RULE, **found))
    return lines
