"""The tutorials run from the first cell to the last, and print what their pages say that they print."""

from __future__ import annotations

import ast
import contextlib
import doctest
import io
import re
from pathlib import Path
from types import CodeType
from typing import Any

import jupytext
import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted((ROOT / "docs" / "tutorials").glob("*.md"))
PRINTED = re.compile(r"```text\n(.*?)```", re.S)
AS_PRINTED = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


def cells(page: Path) -> list[tuple[str, str]]:
    """Return the code of each cell, with what the page says that it prints: the block of text right behind it."""
    notebook = jupytext.read(page).cells
    following = [cell.source if cell.cell_type == "markdown" else "" for cell in notebook[1:]] + [""]
    said = (PRINTED.match(text) for text in following)
    return [
        (cell.source, block[1] if block else "")
        for cell, block in zip(notebook, said, strict=True)
        if cell.cell_type == "code"
    ]


def parts(source: str) -> tuple[CodeType, CodeType | None]:
    """Return a cell's statements, and its last expression, which a notebook shows."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    shown = compile(ast.Expression(last.value), "<cell>", "eval") if isinstance(last, ast.Expr) else None
    return compile(tree, "<cell>", "exec"), shown


def run_cell(source: str, names: dict[str, Any]) -> str:
    """Run a cell as a notebook does, showing its last expression, and return what it printed."""
    statements, shown = parts(source)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(statements, names)
        value = eval(shown, names) if shown else None
    if value is not None:
        as_html = getattr(value, "_repr_html_", None)
        assert as_html() if as_html else repr(value)
    return printed.getvalue()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_cell_prints_what_its_page_says(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, one_thread: None
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "__main__"}
    checker = doctest.OutputChecker()
    for source, said in cells(page):
        printed = run_cell(source, names)
        assert checker.check_output(said, printed, AS_PRINTED), f"{source}\nprints\n{printed}\nnot\n{said}"


def test_all_install_in_the_same_way() -> None:
    first = {cells(page)[0][0] for page in PAGES}
    assert len(PAGES) == 3 and len(first) == 1 and 'find_spec("mazesteer") is None' in first.pop()
