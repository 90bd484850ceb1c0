"""Figures and tables of planning: detours, what each place carries, by path length too, and causal maps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from steering.figures.tables import Table
from steering.marks.colours import (
    CHEESE,
    CORNER,
    GREY,
    INK,
    MOUSE,
    PALE,
    SIGNED,
    SOURCE,
    named_runs,
    run_colours,
    shades,
)
from steering.marks.site_axis import DODGED, LEGEND, draw_boundary, interval_bars
from steering.records.planning import CausalMap, GoalBehaviour, Located, PlanningMaps, PlanningSummary, Share
from steering.records.readings import PLANNING, ComparedPlanning, Reading
from steering.statistics.formatting import format_estimate, format_number, short_site_name

_SHOWN_READERS = {"4": "dot", "8": "dash", "16": "dashdot"}  # line styles
_PLACES = (SOURCE, MOUSE, INK, PALE, GREY)  # source, mouse, route, elsewhere, random
_ROW = 7  # maps in a row
_SHOWN = 6  # blocks shown in each direction around a centre
_FEWEST = 0.1  # of the pairs: blocks that fewer have are left blank
_MOST = 0.2  # of the effect, where the colours end: most blocks carry little by themselves


NARROW_ROW = 4  # of maps, on a phone


def planning_figures(found: PlanningSummary | None, maps: PlanningMaps | None) -> dict[str, go.Figure]:
    """Return the figures of planning, by name; those of what was measured."""
    made: dict[str, go.Figure] = {}
    if found is not None:
        made |= {f"detours-{row.goal}": detour_figure(found, row) for row in found.behaviour}
        for row in found.located:
            made[f"located-{row.kind}-{row.goal}"] = located_figure(found, row)
            if any(part.pairs for part in row.bins):
                made[f"lengths-{row.kind}-{row.goal}"] = length_figure(row)
    if maps is not None:
        made |= {f"maps-{part.kind}-{part.goal}": map_figure(part) for part in maps.maps}
    return made


def planning_tables(found: PlanningSummary | None, maps: PlanningMaps | None) -> dict[str, Table]:
    """Return the numbers that the figures of planning show, by the figure's name."""
    made: dict[str, Table] = {}
    if found is not None:
        made |= {f"detours-{row.goal}": detour_table(found, row) for row in found.behaviour}
        for row in found.located:
            name = f"{row.kind}-{row.goal}"
            made |= {f"located-{name}": located_table(found, row), f"lengths-{name}": length_table(row)}
    if maps is not None:
        made |= {f"maps-{part.kind}-{part.goal}": map_table(part) for part in maps.maps}
    return made


def detour_figure(found: PlanningSummary, row: GoalBehaviour) -> go.Figure:
    """Draw how often the agent is right in level and twin, by path length, beside readers that see so many steps."""
    figure, bins = go.Figure(), row.detour[:-1]
    steps = [part.steps for part in bins]
    for name, parts, colour in (("detours, agent", bins, MOUSE), ("idle changes, agent", row.idle[:-1], PALE)):
        shares = [part.follows for part in parts]
        figure.add_bar(x=steps, y=[s.value for s in shares], error_y=_bars(shares), name=name, marker={"color": colour})
    for k, name in enumerate(found.ladder):
        if name in _SHOWN_READERS:
            values, dash = [part.readers[k] for part in bins], _SHOWN_READERS[name]
            line = {"color": GREY, "dash": dash}
            figure.add_scatter(
                x=steps, y=values, name=f"detours, reader of {name} steps", mode="lines+markers", line=line
            )
    figure.update_xaxes(title="steps from the mouse to the nearer changed cell")
    figure.update_yaxes(title="right in both mazes", range=[0, 1.05])
    figure.update_layout(
        template="simple_white", height=360, legend=LEGEND, margin={"l": 60, "r": 20, "t": 50, "b": 60}
    )
    return figure


def located_figure(found: PlanningSummary, row: Located) -> go.Figure:
    """Draw over depth the part of an effect that each place carries, with the readings."""
    figure, names_ = go.Figure(), [site.name for site in row.sites]
    shown = [short_site_name(name) for name in names_]
    for k, (name, colour) in enumerate(zip(found.patches, _PLACES, strict=False)):
        shares, main = [site.carried[k] for site in row.sites], k < 2
        line = {"color": colour, "width": 2.5 if main else 1.5, "dash": "solid" if k < 4 else "dot"}
        bars = {**_bars(shares), "visible": main}
        figure.add_scatter(
            x=shown, y=[s.value for s in shares], error_y=bars, name=name, mode="lines+markers", line=line
        )
    figure.add_hline(y=0.5, line={"color": GREY, "dash": "dash", "width": 1})
    for reading in row.readings[:2]:
        first = reading.name == "departure"
        word, colour, side = ("up to", SOURCE, "top left") if first else ("from", MOUSE, "top right")
        edges = Reading(PLANNING, reading.name, word, reading.site, reading.low, reading.high).edges(names_)
        if edges is not None:
            text = reading.name if reading.site is not None else f"{reading.name}: nowhere"
            side = "top left" if edges[0] > len(names_) - 2 else "top right" if edges[0] < 1 else side
            draw_boundary(figure, edges, text, colour=colour, annotation_position=side)
    figure.update_xaxes(tickangle=-50, range=[-0.7, len(names_) - 0.3])
    figure.update_yaxes(title="part of the effect carried", range=[-0.15, 1.1])
    margin = {"l": 60, "r": 20, "t": 40, "b": 130}
    figure.update_layout(template="simple_white", height=440, legend=LEGEND, margin=margin, **DODGED)
    return figure


def length_figure(row: Located) -> go.Figure:
    """Draw over depth what source and mouse carry, a line for each bin of path length."""
    shown = [short_site_name(site.name) for site in row.sites]
    figure = make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.06)
    hues = zip(row.bins, shades(SOURCE, len(row.bins)), shades(MOUSE, len(row.bins)), strict=True)
    for part, *colours in hues:
        for panel, shares, colour in ((1, part.source, colours[0]), (2, part.mouse, colours[1])):
            if part.pairs:
                figure.add_scatter(
                    x=shown,
                    y=[share.value for share in shares],
                    error_y=_bars(shares),
                    name=f"{part.steps} steps ({part.pairs} pairs)",
                    mode="lines+markers",
                    line={"color": colour, "width": 2},
                    showlegend=panel == 1,
                    row=panel,
                    col=1,
                )
    figure.add_hline(y=0.5, line={"color": GREY, "dash": "dash", "width": 1}, row=1, col=1)
    figure.update_yaxes(title="the source carries", range=[-0.15, 1.1], row=1, col=1)
    figure.update_yaxes(title="the mouse's place carries", row=2, col=1)
    figure.update_xaxes(tickangle=-50, row=2, col=1)
    margin = {"l": 60, "r": 20, "t": 40, "b": 130}
    figure.update_layout(template="simple_white", height=620, legend=LEGEND, margin=margin, **DODGED)
    return figure


def map_figure(found: CausalMap, row_of: int = _ROW) -> go.Figure:
    """Draw what single blocks carry around the source (upper rows) and the mouse, by site, ``row_of`` maps a row."""
    sites, rows = found.sites, -(-len(found.sites) // row_of)
    columns = min(len(sites), row_of)
    # In two lines: on a narrow page seven names do not fit beside one another.
    titles = [short_site_name(site.name).replace(".", "<br>", 1) for site in sites] + [""] * (
        rows * columns - len(sites)
    )
    figure = make_subplots(
        rows=2 * rows,
        cols=columns,
        subplot_titles=titles * 2,
        horizontal_spacing=0.012,
        vertical_spacing=0.16 / (2 * rows),
        row_titles=["around the source", *[""] * (rows - 1), "around the mouse", *[""] * (rows - 1)],
    )
    middle = len(found.around_source) // 2
    part = slice(middle - _SHOWN, middle + _SHOWN + 1)
    steps = list(range(-_SHOWN, _SHOWN + 1))
    for centre, counts in enumerate((found.around_source, found.around_mouse)):
        enough = np.array(counts)[part, part] >= _FEWEST * found.pairs
        for k, site in enumerate(sites):
            values = np.array(site.mouse if centre else site.source, dtype=float)[part, part]
            figure.add_heatmap(
                x=steps,
                y=steps[::-1],
                z=np.where(enough, values, np.nan),
                coloraxis="coloraxis",
                hovertemplate="%{x} to the right, %{y} up: %{z:.3f}<extra></extra>",
                row=centre * rows + k // row_of + 1,
                col=k % row_of + 1,
            )
            figure.add_scatter(
                x=[0],
                y=[0],
                mode="markers",
                marker={"symbol": "square-open", "size": 9, "color": "black", "line": {"width": 1.5}},
                hoverinfo="skip",
                showlegend=False,
                row=centre * rows + k // row_of + 1,
                col=k % row_of + 1,
            )
    edge = [-_SHOWN - 0.5, _SHOWN + 0.5]
    bare = {"range": edge, "showticklabels": False, "ticks": "", "showline": False, "constrain": "domain"}
    figure.update_xaxes(**bare)
    figure.update_yaxes(**bare, scaleanchor="x")
    figure.update_annotations(font_size=11)
    figure.update_layout(
        template="simple_white",
        height=(175 if row_of == _ROW else 120) * 2 * rows + 60,
        plot_bgcolor="#e4e4e4",
        margin={"l": 20, "r": 20, "t": 40, "b": 20},
        coloraxis={"colorscale": SIGNED, "cmin": -_MOST, "cmid": 0, "cmax": _MOST, "colorbar": {"title": "carried"}},
    )
    return figure


def compared_planning(found: ComparedPlanning, counts: Sequence[int] | None) -> dict[str, go.Figure]:
    """Return the figures of planning side by side; ``counts``: place of each snapshot of one training, else None."""
    made = {"compare-detours": _followed_figure(found, counts), "compare-carried": _carried_figure(found)}
    return {name: figure for name, figure in made.items() if figure is not None}


def _followed_figure(found: ComparedPlanning, counts: Sequence[int] | None) -> go.Figure:
    """Draw the share of detours followed, and of idle changes, by goal: run by run, or over training."""
    figure = go.Figure()
    x: list[Any] = list(found.runs) if counts is None else [max(count, 1) for count in counts]
    for goal, colour in (("cheese", CHEESE), ("corner", CORNER)):
        at = [(x[k], plan) for k, plans in enumerate(found.arms) for plan in plans if plan.goal == goal]
        for name, dash, shares in (
            (f"detours to the {goal} followed", "solid", [plan.follows for _, plan in at]),
            (f"idle changes, {goal}", "dot", [plan.idle for _, plan in at]),
        ):
            figure.add_scatter(
                x=[place for place, _ in at],
                y=[share.value for share in shares],
                error_y=_bars(shares),
                name=name,
                mode="markers" if counts is None else "lines+markers",
                line={"color": colour, "dash": dash},
                marker={"color": colour, "size": 10, "symbol": "circle" if dash == "solid" else "circle-open"},
            )
    if counts is not None:
        figure.update_xaxes(type="log", title="samples and steps of training (the first weights stand at 1)")
    figure.update_yaxes(title="right in both mazes", range=[-0.03, 1.05])
    margin = {"l": 60, "r": 20, "t": 30, "b": 60}
    figure.update_layout(template="simple_white", height=360, legend=LEGEND, margin=margin)
    if counts is None:
        figure.update_layout(DODGED)
    return figure


def _carried_figure(found: ComparedPlanning) -> go.Figure | None:
    """Draw over depth what the changed walls and the mouse's place carry of a detour, a panel each, a line a run."""
    plans = [{plan.goal: plan.located for plan in arm if plan.located is not None} for arm in found.arms]
    goals = [goal for goal in ("cheese", "corner") if any(goal in located for located in plans)]
    if not goals:
        return None
    panels = [(goal, k, place) for goal in goals for k, place in enumerate(("the changed walls", "the mouse's place"))]
    titles = [
        f"a detour to the {goal}: what {place} carry".replace("place carry", "place carries")
        for goal, _, place in panels
    ]
    figure = make_subplots(rows=len(panels), cols=1, shared_xaxes=True, vertical_spacing=0.06, subplot_titles=titles)
    runs = zip(found.runs, plans, run_colours(len(plans)), named_runs(len(plans)), strict=True)
    for name, located, colour, named in runs:
        for row, (goal, k, _) in enumerate(panels, 1):
            sites = located[goal].sites if goal in located else ()
            figure.add_scatter(
                x=[short_site_name(site.name) for site in sites],
                y=[site.carried[k].value for site in sites],
                name=name,
                legendgroup=name,
                showlegend=named and row == 1,
                mode="lines+markers",
                line={"color": colour, "width": 2},
                row=row,
                col=1,
            )
    figure.add_hline(y=0.5, line={"color": GREY, "dash": "dot", "width": 1})
    figure.update_xaxes(tickangle=-50)
    figure.update_yaxes(title="part of the effect", range=[-0.15, 1.1])
    margin = {"l": 60, "r": 20, "t": 60, "b": 130}
    legend = {**LEGEND, "y": 1.06}
    figure.update_layout(template="simple_white", height=190 + 170 * len(panels), legend=legend, margin=margin)
    return figure


def detour_table(found: PlanningSummary, row: GoalBehaviour) -> Table:
    """Return the answers to pairs by path length, and those of the readers."""
    header = ["pairs", "steps to the change", "number", "mazes", "right move in the level", "in the twin"]
    header += ["right in both", *(f"reader {name}" for name in found.ladder)]
    rows = []
    for kind, bins in (("detour", row.detour), ("idle", row.idle)):
        for part in bins:
            shares = map(format_estimate, (part.right_level, part.right_twin, part.follows))
            readers = (format_number(value, 2) for value in part.readers)
            rows.append([kind, part.steps, str(part.pairs), str(part.mazes), *shares, *readers])
    return [header, *rows]


def located_table(found: PlanningSummary, row: Located) -> Table:
    """Return the part of an effect that each place carries, and that is lost with it, by site."""
    header = ["site", *(f"{name} carries" for name in found.patches), *(f"lost with {name}" for name in found.patches)]
    return [
        header,
        *(
            [short_site_name(s.name), *map(format_estimate, s.carried), *map(format_estimate, s.needed)]
            for s in row.sites
        ),
    ]


def length_table(row: Located) -> Table:
    """Return what source and mouse carry by path length, site by site; the readings last."""
    header = ["site", *(f"{name}, {part.steps} steps" for part in row.bins for name in ("source", "mouse"))]
    rows = [
        [short_site_name(site.name), *(format_estimate(of[k]) for part in row.bins for of in (part.source, part.mouse))]
        for k, site in enumerate(row.sites)
    ]
    for name in ("departure", "handoff", "arrival", "spread"):
        found = [next((each for each in part.readings if each.name == name), None) for part in row.bins]
        cells = ("–" if each is None else short_site_name(each.site or "nowhere") for each in found)
        rows.append([name, *(cell for place in cells for cell in (place, ""))])
    return [header, *rows] if row.bins else []


def map_table(found: CausalMap) -> Table:
    """Return how far from source and mouse what single blocks carry lies, and what they carry together, by site."""
    header = ["site", "blocks from the source", "blocks from the mouse", "single blocks together"]
    return [
        header,
        *(
            [
                short_site_name(site.name),
                format_estimate(site.from_source),
                format_estimate(site.from_mouse),
                format_number(site.together, 2),
            ]
            for site in found.sites
        ),
    ]


def _bars(shares: Sequence[Share]) -> dict[str, Any]:
    return interval_bars([s.value for s in shares], [s.low for s in shares], [s.high for s in shares])
