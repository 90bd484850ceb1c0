"""The page: its pieces joined into one module, for the server and for notebooks."""

from __future__ import annotations

import functools
from pathlib import Path

FOLDER = Path(__file__).parent / "page"
# The pieces of the module, in their order: each may use those before it, and all of them when it runs.
PIECES = (
    "dom",
    "colours",
    "wire",
    "state",
    "maze_text",
    "scene",
    "picture",
    "arrows",
    "edit_text",
    "bench",
    "board",
    "maze_tools",
    "reading",
    "panels",
    "network",
    "edit_stack",
    "activations",
    "causal",
    "rollouts",
    "curve",
    "takeaway",
    "keys",
    "workbench",
)


@functools.cache
def module() -> str:
    """Return the page's JavaScript as one module: the pieces, and what it exports."""
    pieces = [f"// {name}.js\n{_text(f'{name}.js')}" for name in PIECES]
    return "\n".join(pieces) + "\nexport { mount, socketTransport };\nexport default { render };\n"


@functools.cache
def styles() -> str:
    """Return the page's styles."""
    return _text("workbench.css")


@functools.cache
def files() -> dict[str, tuple[str, str]]:
    """Return what a browser loads: by path the kind and the text."""
    return {
        "/": ("text/html", _text("index.html")),
        "/start.js": ("text/javascript", _text("start.js")),
        "/workbench.js": ("text/javascript", module()),
        "/workbench.css": ("text/css", styles()),
        "/icon.svg": ("image/svg+xml", _text("icon.svg")),
    }


def _text(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")
