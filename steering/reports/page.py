"""Pages that open anywhere: HTML with its figures inside, and the Markdown that says the same without them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import plotly.graph_objects as go

from envs.files import write_atomic
from steering.statistics.formatting import format_number

PAGE_BYTES = 8_000_000
_CONFIG = {"displaylogo": False, "responsive": True, "modeBarButtonsToRemove": ["lasso2d", "select2d"]}


@dataclass(frozen=True)
class Figure:
    """A figure with its caption."""

    name: str
    """Its anchor in the page."""
    title: str
    """Its heading."""
    caption: str
    """Text on what one should see in it."""
    figure: go.Figure
    """The figure itself."""


def write_page(template: str, path: Path, figures: list[Figure], film: str = "", **values: Any) -> None:
    """Fill ``templates/<template>.html`` and ``.md``; write ``path`` (``.html``) and its Markdown twin.

    Each is written whole or not at all. Plotly is put into the page once, so it opens without a network. ``film`` (a
    data URI) is put in only if the page stays within ``PAGE_BYTES``.
    """
    shown = [
        {
            "name": figure.name,
            "title": figure.title,
            "caption": figure.caption,
            "html": figure.figure.to_html(
                full_html=False, include_plotlyjs=number == 0, config=_CONFIG, div_id=f"figure-{figure.name}"
            ),
        }
        for number, figure in enumerate(figures)
    ]
    for suffix in (".html", ".md"):
        fill = _environment(escape=suffix == ".html").get_template(template + suffix).render
        for held in (film, ""):
            # A path may be no valid text.
            page = fill(figures=shown, film=held, **values).encode(errors="backslashreplace")
            if len(page) <= PAGE_BYTES:
                break
        write_atomic(path.with_suffix(suffix), page)


def _environment(*, escape: bool) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=escape,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["num"] = format_number
    return environment
