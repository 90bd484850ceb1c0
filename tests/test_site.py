"""The docs site: built as `make docs` builds it, whole, self-contained, and searched in a real browser."""

from __future__ import annotations

import functools
import http.server
import importlib.util
import re
import subprocess
import threading
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat
import pytest

from tests.helpers.browser import chromium

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
TUTORIALS = sorted((DOCS / "tutorials").glob("*.md"))
# What a page or a style sheet loads by itself; a link that a reader may click is not among it.
LOADED = re.compile(
    r"""<(?:script|img|iframe|source)[^>]*\ssrc="(?:https?:)?//|<link[^>]*\shref="(?:https?:)?//|url\(["']?https?:"""
)


@pytest.fixture(scope="module")
def conf() -> ModuleType:
    """The settings of the site, as a module."""
    spec = importlib.util.spec_from_file_location("site_conf", DOCS / "conf.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("link", "base", "on_the_site"),
    [
        ("[a](docs/result.md#x)", ROOT, "[a](result.md#x)"),
        ("[a](result.md#x)", DOCS, "[a](result.md#x)"),
        ("[a](../README.md)", DOCS, "[a](start.md)"),
        ("![a](docs/images/result.png)", ROOT, "![a](images/result.png)"),
        ("[a](LICENSE)", ROOT, "[a](../LICENSE)"),
        ("[cards](../agents/zoo)", DOCS, "cards (`agents/zoo`)"),
        ("[a](#x) and [b](https://example.org/b)", ROOT, "[a](#x) and [b](https://example.org/b)"),
    ],
)
def test_links_of_a_code_host_are_right_on_the_site(conf: ModuleType, link: str, base: Path, on_the_site: str) -> None:
    assert conf.moved_links(link, base, DOCS) == on_the_site


def test_a_tutorial_as_a_notebook_leaves_out_what_does_not_come_with_it(conf: ModuleType, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A\n\n![p](p.png) [a](b.md) [c](https://example.org)\n\n```python\n1\n```\n")
    notebook = conf.notebook_of(page)
    assert [(cell.cell_type, cell.source) for cell in notebook.cells] == [
        ("markdown", "# A\n\n a [c](https://example.org)"),
        ("code", "1"),
    ]
    assert notebook.metadata["kernelspec"]["name"] == "python3"


def test_a_public_name_without_an_entry_is_named(conf: ModuleType) -> None:
    names = conf.missing_names([])
    assert {"agents.load_policy", "envs.Maze", "steering.add", "videos.write_film", "steering.statistics"} <= set(names)
    assert conf.missing_names([name for name in names if name != "steering.add"]) == ["steering.add"]


def test_every_public_name_and_every_room_has_an_entry(conf: ModuleType) -> None:
    """The build fails without one, too; this says so at once."""
    pages = "".join(page.read_text() for page in (DOCS / "reference").glob("*.md"))
    assert conf.missing_names(re.findall(r"^\.\. auto\w+:: ([\w.]+)$", pages, re.M)) == []


def test_every_page_is_in_a_list_of_the_start_page() -> None:
    listed = {
        page + ".md" for page in re.findall(r"^- \[[^\]]+\]\(([^)#:]+)\.md\)", (DOCS / "index.md").read_text(), re.M)
    }
    pages = {page.name for page in DOCS.glob("*.md")} | {f"tutorials/{page.name}" for page in TUTORIALS}
    assert pages - {"index.md"} == {page for page in listed if "/" not in page or page.startswith("tutorials/")}


def test_the_site_is_whole_loads_nothing_from_elsewhere_and_can_be_searched(conf: ModuleType, tmp_path: Path) -> None:
    """Built once for all that is asked of it: a build takes half a minute."""
    site = tmp_path / "site"
    built = subprocess.run(
        ["make", "--no-print-directory", "-o", "setup", "docs", f"SITE={site}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    entries = {
        name
        for page in site.glob("reference/*.html")
        for name in re.findall(r' id="(?:module-)?([\w.]+)"', page.read_text())
    }
    assert conf.missing_names(entries) == []
    for page in TUTORIALS:
        notebook = nbformat.read(site / "tutorials" / f"{page.stem}.ipynb", nbformat.NO_CONVERT)
        nbformat.validate(notebook)
        assert f'href="{page.stem}.ipynb"' in (site / "tutorials" / f"{page.stem}.html").read_text()
    files = [path for kind in ("html", "css") for path in site.rglob(f"*.{kind}")]
    assert {path.name: found[0] for path in files if (found := LOADED.findall(path.read_text()))} == {}
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(QuietHandler, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with chromium() as browser:
            looked_through(browser, f"http://127.0.0.1:{server.server_port}/")
    finally:
        server.shutdown()
        server.server_close()


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves files and says nothing."""

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


def looked_through(browser: Any, home: str) -> None:
    """Look at pages on a screen and on a phone: nothing is asked of others or wider than the screen; search finds."""
    for width in (1400, 390):
        page = browser.new_page(viewport={"width": width, "height": 900})
        asked: list[str] = []
        missing: list[str] = []
        page.on("request", lambda request: asked.append(request.url))  # noqa: B023
        page.on("response", lambda answer: missing.append(answer.url) if answer.status >= 400 else None)  # noqa: B023
        page.on("pageerror", lambda error: missing.append(str(error)))  # noqa: B023
        for name in ("index.html", "result.html", "reference/steering.html"):
            page.goto(home + name)
            wide, shown = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
            assert wide <= shown, f"{name} is wider than the screen"
        page.goto(home + "search.html?q=blindness")
        page.get_by_text("Search finished").wait_for()
        found = page.locator("#search-results ul.search > li > a").all_inner_texts()
        fields = [place for place, title in enumerate(found) if title.startswith("steering.records.")]
        assert fields and found.index("Method") < fields[0] and found.index("steering.statistics.blindness") < fields[0]
        assert [url for url in asked if not url.startswith((home, "data:"))] == []
        assert [url for url in missing if url != home + "favicon.ico"] == []
        page.close()
