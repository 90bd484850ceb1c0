"""What the figures of the anatomy have in common: panels over the sites, and lines with intervals."""

from __future__ import annotations

from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from steering.marks.site_axis import interval_bars, names, symbols
from steering.records.probes import Estimate
from steering.records.sites import SiteFacts


def two_panels(upper: str, lower: str) -> go.Figure:
    """Return an empty figure of two panels above each other, with titles, that share the axis of the sites."""
    return make_subplots(rows=2, cols=1, shared_xaxes=True, vertical_spacing=0.1, subplot_titles=[upper, lower])


def draw_line(
    figure: go.Figure,
    sites: Sequence[SiteFacts],
    values: Sequence[Estimate],
    label: str,
    colour: str,
    panel: int,
    dash: str = "solid",
    symbol: str = "circle",
    legend: bool = True,
) -> None:
    """Draw one line over the sites, with intervals if it is solid."""
    main = dash == "solid"
    bars = interval_bars([e.value for e in values], [e.low for e in values], [e.high for e in values])
    figure.add_scatter(
        x=names(sites),
        y=[value.value for value in values],
        error_y={**bars, "visible": main},
        name=label,
        showlegend=legend,
        mode="lines+markers" if main else "lines",
        line={"color": colour, "width": 2.2 if main else 1.4, "dash": dash},
        marker={"size": 7, "symbol": symbols(sites, symbol)},
        hovertemplate="%{y:.3g}",
        row=panel,
        col=1,
    )
