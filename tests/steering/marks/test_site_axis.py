"""Names and labels in figures do not lie on one another."""

import itertools
from collections.abc import Sequence

from plotly.subplots import make_subplots

from steering.figures.sweep_figures import readings_figure
from steering.marks.site_axis import draw_levels
from steering.records.readings import CAUSAL, PLANNING, Reading
from steering.records.sites import SiteFacts


def test_levels_that_are_near_share_a_line_of_print_and_each_is_named_once() -> None:
    figure = make_subplots(rows=1, cols=1)
    figure.add_scatter(x=["input"], y=[0.1], row=1, col=1)
    draw_levels(figure, [("a", 0.9), ("b", 0.5), ("c", 0.52), ("d", None), ("e", 0.46)], 1)
    notes = {note.text: note.y for note in figure.layout.annotations}
    assert sorted(itertools.chain(*(text.split(", ") for text in notes))) == ["a", "b", "c", "e"]
    heights = sorted(notes.values())
    assert all(high - low >= 0.05 for low, high in itertools.pairwise(heights))
    assert sorted(line.y0 for line in figure.layout.shapes) == [0.46, 0.5, 0.52, 0.9]


def test_readings_have_room_for_their_labels_and_nowhere_has_a_name() -> None:
    sites = [
        SiteFacts(name, depth, (1,), True, False, name, None) for depth, name in enumerate(("input", "conv", "fc"))
    ]
    rows = [
        Reading(CAUSAL, "a statement that is long " * 8, "up to", "conv", "input", "conv"),
        Reading(PLANNING, "short", "from", None, "fc", None),
    ]
    figure = readings_figure(sites, rows)
    assert figure is not None
    lines = max(label.count("<br>") + 1 for trace in figure.data for label in trace.y)
    assert figure.layout.height >= 15 * lines * len(rows)
    ticks = dict(zip(figure.layout.xaxis.tickvals, figure.layout.xaxis.ticktext, strict=True))
    assert ticks[figure.data[-1].x[0]] == "nowhere"
    assert "nowhere" not in _ticks(sites, rows[:1])


def _ticks(sites: Sequence[SiteFacts], rows: Sequence[Reading]) -> Sequence[str]:
    figure = readings_figure(sites, rows)
    assert figure is not None
    ticks: Sequence[str] = figure.layout.xaxis.ticktext
    return ticks
