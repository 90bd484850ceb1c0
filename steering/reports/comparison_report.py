"""``compare.html``, ``compare.md``, ``compare.png`` and ``compare.json``: what ``mazesteer compare`` writes."""

from __future__ import annotations

import hashlib
import json
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from agents.checkpoints.cards import load_card, zoo_names
from agents.training.history import FILE as HISTORY
from agents.training.history import SNAPSHOTS, read_history
from envs.errors import InputError
from envs.files import write_atomic
from steering.analysis import conclusion
from steering.analysis.compared_runs import ComparedRun, find_runs, read_arms, unfinished
from steering.analysis.comparison import compare
from steering.analysis.comparison_readings import readings_table, side_by_side
from steering.analysis.development import RULE, Series, loss_caption, loss_curves, snapshots, without_loss
from steering.analysis.paired_effects import cheese_tells
from steering.reports import captions, comparison_figures
from steering.reports.page import Figure, write_page
from steering.reports.site_axis import labels, place
from steering.reports.static_figures import compare_picture
from steering.statistics import bootstrap, formatting
from steering.statistics.formatting import short_site_name
from steering.sweep.provenance import format_versions, versions

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
    """Compare ``runs`` and write the four files into ``out``; returns the data of ``compare.json``.

    ``blindness``, ``competence``: thresholds; None: the runs' own. ``history`` is the directory of a training run
    whose loss is shown beside its snapshots (default: the card of a shipped agent).
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file; choose another --out")
    if history is not None and not (history / HISTORY).is_file():
        raise InputError(f"--history {history}: no {HISTORY} there; give the --out of a training")
    arms, series = in_order_of_training(read_arms(find_runs(runs)))
    rows = _history(history, arms, series)
    data = compare(arms, seed=seed, blindness=blindness, competence=competence)
    data["command"], data["versions"] = "mazesteer " + shlex.join(sys.argv[1:]), versions()
    data["readings"], data["no_readings"] = side_by_side(arms, data)
    data["unfinished"] = unfinished(runs)
    if series is not None:
        data["development"] = {
            "of": series.name,
            "counts": list(series.counts),
            "stages": list(series.stages),
            "loss": loss_curves(rows),
            "without_loss": without_loss(rows) if rows else None,
            "rule": RULE,
        }
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{out}: cannot be made ({error.strerror}); choose another --out") from None
    write_atomic(out / "compare.json", (json.dumps(data, indent=2, allow_nan=False) + "\n").encode())
    write_atomic(out / "compare.png", compare_picture(data))
    write_page(
        "compare",
        out / "compare.html",
        _figures(data, series),
        data=data,
        answer=conclude_comparison(data),
        table=_table(data),
        sites=_by_site(data),
        sites_caption=captions.BY_SITE if len(data["arms"]) <= FEW_ARMS else captions.BY_SITE_MANY,
        readings=_readings(data),
        effects=_effects(data) if len(data["arms"]) <= FEW_ARMS else [captions.fill(captions.MANY)],
        methods=_methods(data),
        arms=[captions.fill(captions.ARM, **arm) for arm in data["arms"]],
        commands={"this comparison": data["command"]} | _by_arms(data, lambda arm: arm["command"]),
        versions={"this comparison": format_versions(data["versions"])}
        | _by_arms(data, lambda arm: "; also ".join(map(format_versions, arm["versions"]))),
    )
    return data


def in_order_of_training(arms: Sequence[ComparedRun]) -> tuple[list[ComparedRun], Series | None]:
    """Snapshots of one training by count, whatever the order they were swept in, and the series they are.

    Other arms stay as they are and are no series: None.
    """
    series = snapshots([arm.spec.checkpoint for arm in arms])
    if series is None:
        return list(arms), None
    where = series.positions()
    ordered = [arms[i] for i in sorted(range(len(arms)), key=where.__getitem__)]
    return ordered, snapshots([arm.spec.checkpoint for arm in ordered])


def conclude_comparison(data: Mapping[str, Any]) -> str:
    """What the comparison shows, from its numbers."""
    first, mazes = data["arms"][0], len(data["levels"])
    lines = [f"On {mazes} mazes that all runs share, the boundary of {first['name']} is {_reach(first)}"]
    lines += [f"that of {arm['name']} {_reach(arm)}" for arm in data["arms"][1:]]
    text = "; ".join(lines) + "."
    if mazes < bootstrap.FEW:
        text += f" These are too few mazes for the intervals of boundaries to be relied on ({bootstrap.FEW} at least)."
    if len(data["arms"]) <= FEW_ARMS:
        text += "".join(f" Blindness of {row['of']} {_apart(row, data['classes'])}." for row in data["differences"])
    return text


def _apart(row: Mapping[str, Any], classes: Sequence[str]) -> str:
    """Where two runs differ, of the distinct experiments: whose simultaneous bands leave out 0."""
    first = {name: point for point, name in reversed(list(zip(row["blindness"], classes, strict=True)))}
    points = [point for point in first.values() if point["difference"] is not None]
    clear = [point for point in points if point["band_low"] > 0 or point["band_high"] < 0]
    if not points:
        return f"cannot be compared with that of {row['against']}: the cheese changes nothing"
    if not clear:
        return (
            f"shows no clear difference from that of {row['against']} at any site (simultaneous 95% band over "
            f"{len(points)} distinct sites)"
        )
    most = max(clear, key=lambda point: abs(point["difference"]))
    return (
        f"clearly differs from that of {row['against']} at {len(clear)} of {len(points)} distinct sites (simultaneous "
        f"95% band over the sites), of these most at {short_site_name(most['site'])} ({most['difference']:+.2g}, band "
        f"{most['band_low']:.2g} to {most['band_high']:.2g})"
    )


def _reach(arm: Mapping[str, Any]) -> str:
    found = arm["boundary"]
    if arm["curve"][0]["blindness"] is None:
        return "not defined, since the cheese changes nothing"
    site, low, high = (place(found[end]) for end in ("site", "low", "high"))
    return f"{site} ({'; '.join([f'95% interval {low} to {high}', *_of_arm(arm)])})"


def _of_arm(arm: Mapping[str, Any]) -> list[str]:
    """What speaks against a conclusion from the boundary of one run."""
    return ([] if cheese_tells(arm["cheese"]) else [conclusion.NO_USE]) + _caveats(arm["boundary"])


def _caveats(found: Mapping[str, Any]) -> list[str]:
    """What speaks against reading a boundary as where, in the network, blindness ends."""
    alone = found["blindness_alone"]["site"]
    free = [captions.FREE] if found["affine"] else []
    return free + (
        [captions.fill(captions.BY_COMPETENCE, site=short_site_name(alone))] if alone != found["site"] else []
    )


def _effects(data: Mapping[str, Any]) -> list[str]:
    return [
        f"{row['of']} against {row['against']}: {effect['words']}"
        for row in data["differences"]
        for effect in row["effects"].values()
    ]


def _history(training: Path | None, arms: Sequence[ComparedRun], series: Series | None) -> list[dict[str, Any]]:
    """The history of the training that ``series`` is of: on a card, or in the directory ``training``; [] if of none.

    Raises :class:`InputError` if ``training`` is given and is not theirs.
    """
    if training is None:
        return _card_history(series.name) if series is not None else []
    if series is None:
        raise InputError("--history belongs to snapshots of one training (NAME@COUNT, or COUNT-STAGE as a training "
                         "names its files); these runs are none")  # fmt: skip
    if series.name is not None:
        raise InputError(f"--history: the loss of {series.name} is on its card; leave the option out")
    return _own_history(training, arms, series)


def _card_history(name: str | None) -> list[dict[str, Any]]:
    if name not in zoo_names():
        return []
    history: list[dict[str, Any]] = load_card(name).get("history", [])
    return history


def _own_history(training: Path, arms: Sequence[ComparedRun], series: Series) -> list[dict[str, Any]]:
    """The history in ``training``; refused if the snapshots that ``arms`` are of are seen to be another training's."""
    rows = read_history(training)
    known = {(row["count"], row["stage"]) for row in rows}
    for arm, snapshot in zip(arms, zip(series.counts, series.stages, strict=True), strict=True):
        file = training / SNAPSHOTS / f"{arm.spec.checkpoint}.safetensors"
        other = file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() != arm.spec.sha256
        if other or snapshot not in known:
            raise InputError(
                f"--history {training}: {arm.name} is no snapshot of that training; give the --out of its own"
            )
    return rows


def _figures(data: Mapping[str, Any], series: Series | None) -> list[Figure]:
    bottom = ""
    made = {"compare-curves": comparison_figures.curves_figure(data)}
    if len(data["arms"]) <= FEW_ARMS:
        made["compare-differences"] = comparison_figures.differences_figure(data)
    if data["readings"] is not None:
        made["compare-probes"] = comparison_figures.probes_figure(data)
    if series is not None:
        loss = data["development"]["loss"]
        made["development"] = comparison_figures.development_figure(data, series.positions(), loss)
        bottom = loss_caption(loss, data["development"]["without_loss"])
    values = {
        "mazes": len(data["levels"]),
        "bottom": bottom,
        "first": short_site_name(data["sites"][0]),
        "probed": (data["readings"] or {}).get("levels"),
    }
    return [
        Figure(
            name,
            captions.fill(captions.FIGURES[name][0], **values),
            captions.fill(captions.FIGURES[name][1], **values),
            figure,
        )
        for name, figure in made.items()
    ]


def _table(data: Mapping[str, Any]) -> list[list[str]]:
    rows = []
    for arm in data["arms"]:
        found = arm["boundary"]
        site, low, high = (place(found[end]) for end in ("site", "low", "high"))
        change = short_site_name(found["change_site"]) if found["change_site"] else "none"
        rows.append(
            [arm["name"], site, f"{low} to {high}", change]
            + [
                formatting.format_number(arm["reference"][w][o])
                for w, o in (("clean", "p_cheese"), ("no_cheese", "p_region"))
            ]
            + ["; ".join(_of_arm(arm))]
        )
    return rows


def _by_site(data: Mapping[str, Any]) -> list[list[str]]:
    """Header, then a row for each site: of every arm its blindness and, of a few arms, interval and competence."""
    few = len(data["arms"]) <= FEW_ARMS
    rows = [["site", *(arm["name"] for arm in data["arms"])]]
    for site, *points in zip(labels(data["facts"]), *(arm["curve"] for arm in data["arms"]), strict=True):
        cells = []
        for point in points:
            blind, low, high, able = (
                formatting.format_number(point[key]) for key in ("blindness", "low", "high", "competence")
            )
            cells.append(f"{blind} ({low} to {high}); {able}" if few else blind)
        rows.append([site, *cells])
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
    text = f"{captions.COMPARED_READINGS} {captions.MANY_READINGS}" if many else captions.COMPARED_READINGS
    return {
        "header": header,
        "rows": rows,
        "caption": captions.fill(text, mazes=found["levels"], sites=len(found["sites"])),
    }


def _methods(data: Mapping[str, Any]) -> list[str]:
    lines = [captions.fill(captions.COMPARED, **data["thresholds"], seed=data["seed"])]
    if data["no_readings"]:
        lines.append(f"Readings of the probes are not shown side by side: {data['no_readings']}.")
    if data["unfinished"]:
        lines.append(f"Not compared, since their sweeps are not finished: {', '.join(data['unfinished'])}.")
    if data["over_agents"] is not None:
        found = {key: value or "none" for key, value in data["over_agents"].items()}
        caveats = "; ".join(_caveats(data["over_agents"]))
        lines.append(
            "Over agents. " + captions.fill(captions.RULE, **found) + (f" Caveat: {caveats}." if caveats else "")
        )
    if data["no_over_agents"]:
        lines.append(f"No boundary over agents: {data['no_over_agents']}.")
    return [*lines, captions.fill(captions.COMPARED_SETTINGS, **data)]


def _by_arms(data: Mapping[str, Any], text: Callable[[Mapping[str, Any]], str]) -> dict[str, str]:
    """``{runs: text}`` of the arms, those with the same text together."""
    runs: dict[str, list[str]] = {}
    for arm in data["arms"]:
        runs.setdefault(text(arm) or "not recorded", []).append(arm["name"])
    return {"all runs" if len(runs) == 1 else ", ".join(names): known for known, names in runs.items()}
