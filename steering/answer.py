"""The finding of a sweep in words, from ``summary.json`` alone; and what speaks against drawing one from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steering import stats
from steering.summary import MAIN
from steering.words import number, ranged

NO_TRICK = ("random", "add", "other_level")  # controls that must not blind where subtraction does
WIDE = 2 / 3  # of the distinct experiments: an interval over so many says nothing


def answer(summary: dict[str, Any]) -> str:
    """The finding in words, in at most three sentences; says when the numbers do not support one."""
    found = summary["boundary"]
    count = len(summary["levels"]["used"])
    name = summary["checkpoint"]["name"]
    if found["rule"] is None:
        return "No trunk site was swept under `subtract`, so these results say nothing about the boundary."
    rows = {s["name"]: s["conditions"][MAIN] for s in summary["sites"] if s["trunk"] and MAIN in s["conditions"]}
    first = next(iter(rows))
    if rows[first]["blindness"] is None or rows[first]["competence"] is None:
        return f"For {name} the question has no answer: the cheese changes nothing or the top right is never reached."
    where = f"up to {found['site']} (95% interval {found['low'] or 'none'} to {found['high'] or 'none'}, {count} mazes)"
    if found["site"] is None:
        text = (
            f"For {name} on {count} mazes subtracting the cheese vector works nowhere, not even at {first} "
            f"({_failing(found, rows[first])})."
        )
    elif found["next_site"] is None:
        text = f"For {name} subtracting the cheese vector acts like removing the cheese at every site swept: {where}."
    else:
        why = _failing(found, rows[found["next_site"]], rows[found["site"]])
        text = (
            f"For {name} subtracting the cheese vector still acts like removing the cheese {where}; it stops working "
            f"at {found['next_site']} ({why})."
        )
    if reasons := doubts(summary):
        text += f" These numbers do not support a conclusion about where planning begins: {'; '.join(reasons)}."
    elif found["site"] is not None and found["change_site"] is not None:
        text += (
            f" The second reading, the curve's change-point: {found['change_site']} "
            f"(95% interval {found['change_low']} to {found['change_high']})."
        )
    there = {control: part["there"] for control, part in found["controls"].items() if part["there"] is not None}
    if there:
        text += f" Blindness of the controls there: {', '.join(f'{c} {ranged(part)}' for c, part in there.items())}."
    return text


def doubts(summary: dict[str, Any]) -> list[str]:
    """Why the numbers do not support a conclusion about where planning begins; empty if they do."""
    found, count = summary["boundary"], len(summary["levels"]["used"])
    reasons = []
    if count < stats.FEW:
        reasons.append(f"{count} {'maze is' if count == 1 else 'mazes are'} too few (at least {stats.FEW})")
    cheese = [e for e in summary["effects"] if e["condition"] == "clean" and e["low"] is not None]
    if cheese and all(e["low"] <= 0 <= e["high"] for e in cheese if e["outcome"].startswith("p_cheese")):
        reasons.append("the cheese does not measurably change what the agent does")
    if found["affine"]:
        reasons.append(f"up to {found['site']} the network is affine in the pixels, so success there is free")
    trunk = {s["name"]: s["equivalence_class"] for s in summary["sites"] if s["trunk"] and MAIN in s["conditions"]}
    order = list(dict.fromkeys(trunk.values()))
    depth: dict[str | None, int] = {None: 0}
    depth |= {name: order.index(kind) + 1 for name, kind in trunk.items()}
    span = depth[found["high"]] - depth[found["low"]]
    if span >= WIDE * len(order):
        reasons.append(f"the interval covers {span} of {len(order)} distinct experiments")
    if found["site"] is not None:
        reasons += _controls(found)
    alone, deepest = found["blindness_alone"], len(order)
    if depth[alone["site"]] > depth[found["site"]]:
        reasons.append(
            f"competence sets the boundary, not blindness, which holds up to {alone['site']}: damage cannot be told "
            "from an agent that sees again"
        )
    if (
        found["change_site"] is not None
        and 0 < depth[alone["site"]] < deepest
        and (depth[found["change_low"]] > depth[alone["high"]] or depth[found["change_high"]] < depth[alone["low"]])
    ):
        reasons.append(f"the curve's change-point lies elsewhere ({found['change_low']} to {found['change_high']})")
    return reasons


def _controls(found: Mapping[str, Any]) -> list[str]:
    """What the controls say against a boundary: that they blind there too, or that there are none."""
    swept = {c: found["controls"][c]["there"] for c in NO_TRICK if c in found["controls"]}
    if not swept:
        return [f"no control was swept ({', '.join(NO_TRICK)})"]
    threshold = found["thresholds"]["blindness"]
    reasons = []
    for control, part in swept.items():
        if part is not None and part["high"] >= threshold:
            verb = "blinds" if part["blindness"] >= threshold else "may blind"
            reasons.append(f"the control {control} {verb} there too ({ranged(part)})")
    return reasons


def _failing(found: Mapping[str, Any], row: Mapping[str, Any], before: Mapping[str, Any] | None = None) -> str:
    """Which of the two thresholds a site misses, with the numbers, and those of the site before it."""
    missed = []
    for name, least in found["thresholds"].items():
        if row[name] is None or row[name] < least:
            fell = f"{number(before[name], 2)} -> " if before is not None else ""
            missed.append(f"{name} {fell}{number(row[name], 2)}, below {least:g}")
    return " and ".join(missed)
