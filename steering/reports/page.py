"""Pages that open anywhere: HTML with its figures inside, and the Markdown that says the same without them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from envs.files import write_atomic
from steering.statistics.formatting import format_number

PAGE_BYTES = 8_000_000
_HEIGHT = 450  # plotly's, in pixels


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
    section: str = ""
    """Anchor of the section that it stands in."""
    narrow: go.Figure | None = None
    """The same for a phone and for a column of print; None: made of the other by the page."""


def write_page(template: str, path: Path, figures: list[Figure], film: str = "", **values: Any) -> None:
    """Fill ``templates/<template>.html`` and ``.md``; write ``path`` (``.html``) and its Markdown twin.

    Each is written whole or not at all. Plotly is put into the page once, so it opens without a network; the page draws
    a figure when it comes into view. ``film`` (a data URI) is put in only if the page stays within ``PAGE_BYTES``.
    """
    shown = [
        {
            "name": figure.name,
            "section": figure.section,
            "title": figure.title,
            "caption": figure.caption,
            "height": figure.figure.layout.height or _HEIGHT,
            "narrow_height": (figure.narrow or figure.figure).layout.height or _HEIGHT,
            "wide": _json(figure.figure),
            "narrow": _json(figure.narrow) if figure.narrow is not None else "null",
        }
        for figure in figures
    ]
    for suffix in (".html", ".md"):
        fill = _environment(escape=suffix == ".html").get_template(template + suffix).render
        for held in (film, ""):
            # A path may be no valid text.
            page = fill(figures=shown, film=held, plotly=get_plotlyjs(), **values).encode(errors="backslashreplace")
            if len(page) <= PAGE_BYTES:
                break
        write_atomic(path.with_suffix(suffix), page)


def _json(figure: go.Figure) -> str:
    """Return a figure as JSON that no page takes for its own markup."""
    return str(figure.to_json()).replace("<", "\\u003c")


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
