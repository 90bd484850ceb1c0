"""Sphinx settings of the docs site: `make docs` builds it, any warning fails the build."""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Container
from pathlib import Path
from typing import Annotated, get_origin

import jupytext
import nbformat
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.ext.napoleon import Config, GoogleDocstring
from sphinx.util import logging

DOCS = Path(__file__).parent
ROOT = DOCS.parent
sys.path.insert(0, str(ROOT))
from envs.stored import ranges  # noqa: E402

PACKAGES = ("agents", "envs", "steering", "videos")
LINK = re.compile(r"(?<!`)\[([^\]]*)\]\(([^)#\s]*)(#[^)\s]*)?\)")
SECTIONS = Config(napoleon_use_rtype=False)
PICTURE_OR_LINK = re.compile(r"(?<!`)!?\[([^\]]*)\]\(([^)\s]*)\)")
TUTORIALS = "tutorials"
log = logging.getLogger(__name__)

project = "mazesteer"
release = importlib.import_module(project).__version__
copyright = "mazesteer authors, MIT licence"
extensions = ["myst_parser", "sphinx.ext.autodoc"]

myst_heading_anchors = 4
highlight_language = "none"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
autodoc_typehints_format = "short"
# A range (`Probability`) is called by its name, not spelt out.
autodoc_type_aliases = {name: name for name, kind in vars(ranges).items() if get_origin(kind) is Annotated}
toc_object_entries_show_parents = "hide"

html_theme = "furo"
html_title = project
html_show_sourcelink = False
html_copy_source = False
html_search_scorer = str(DOCS / "search.js")


def moved_links(text: str, base: Path, page: Path) -> str:
    """Return Markdown whose relative links are right on the site.

    A page of docs/ is linked as it is; README.md is the page of start.md; another file outside docs/ is offered as a
    download; of a folder outside docs/ only its name is shown, since the site does not hold it.

    Args:
        text: the Markdown.
        base: the folder that its links start from on a code host.
        page: the folder of the page that shows it, in docs/.
    """

    def moved(link: re.Match[str]) -> str:
        words, target, anchor = link[1], link[2], link[3] or ""
        if not target or ":" in target:
            return link[0]
        path = (base / target).resolve()
        if path == ROOT / "README.md":
            path = DOCS / "start.md"
        if path.is_dir() and not path.is_relative_to(DOCS):
            return f"{words} (`{path.relative_to(ROOT)}`)"
        return f"[{words}]({os.path.relpath(path, page)}{anchor})"

    return LINK.sub(moved, text)


def notebook_of(page: Path) -> nbformat.NotebookNode:
    """Return a tutorial as a notebook: its own, so without links to pages and pictures that do not come with it."""

    def by_itself(link: re.Match[str]) -> str:
        return link[0] if ":" in link[2] else "" if link[0].startswith("!") else link[1]

    notebook = jupytext.read(page)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = PICTURE_OR_LINK.sub(by_itself, cell.source)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return notebook


def write_notebooks(app: Sphinx, failed: Exception | None) -> None:
    """Write each tutorial beside its page on the site, as the file that Jupyter and Colab open."""
    if failed is None:
        for page in sorted((DOCS / TUTORIALS).glob("*.md")):
            jupytext.write(notebook_of(page), Path(app.outdir, TUTORIALS, page.stem + ".ipynb"))


def navigation(index: str) -> str:
    """Return the navigation that an index page asks for: the pages that its lists link to, by heading of level 2."""
    parts = ["", *re.split(r"^## (.+)$", index, flags=re.M)]
    trees = []
    for caption, part in zip(parts[::2], parts[1::2], strict=True):
        pages = re.findall(r"^- \[([^\]]+)\]\(([^)#:]+)\.md\)", part, flags=re.M)
        lines = "\n".join(f"{title} <{page}>" for title, page in pages)
        if pages:
            options = ":hidden:\n" + (f":caption: {caption}\n" if caption else "")
            trees.append(f"```{{toctree}}\n{options}{lines}\n```\n")
    return "\n\n" + "\n".join(trees)


def read_source(app: Sphinx, docname: str, content: list[str]) -> None:
    """Give start.md the README's text, pages links that hold on the site, tutorials a notebook, an index navigation."""
    page = (DOCS / docname).parent
    if docname == "start":
        content[0] = moved_links((ROOT / "README.md").read_text(), ROOT, page)
    else:
        content[0] = moved_links(content[0], page, page)
    folder, _, name = docname.rpartition("/")
    if folder == TUTORIALS:
        title, rest = content[0].split("\n", 1)
        content[0] = f'{title}\n\n<a href="{name}.ipynb" download>Download this page as a notebook</a>\n{rest}'
    if name == "index":
        content[0] += navigation(content[0])


def skip_what_a_package_exports(app: Sphinx, what: str, name: str, obj: object, skip: bool, options: object) -> bool:
    """Leave a name out of a room's list where the page of its package has it already."""
    package = importlib.import_module(app.env.docname.rpartition("/")[2].partition("-")[0])
    room = app.env.docname.startswith("reference/") and "-" in app.env.docname
    return skip or (what == "module" and room and name in package.__all__ and obj is getattr(package, name))


def read_sections(app: Sphinx, what: str, name: str, obj: object, options: object, lines: list[str]) -> None:
    """Turn the sections of a docstring (Args, Returns, Raises) into fields.

    Not as an extension: that would take what stands before a colon in an attribute's docstring for its type.
    """
    if what not in ("attribute", "data", "property"):
        lines[:] = GoogleDocstring(lines, SECTIONS, app, what, name, obj, options).lines()


def missing_names(described: Container[str]) -> list[str]:
    """Return the public names of the packages (``steering.add``), and the rooms, that are not among those described."""
    names = [f"{package}.{name}" for package in PACKAGES for name in importlib.import_module(package).__all__]
    rooms = [
        ".".join(path.parent.relative_to(ROOT).parts) for p in PACKAGES for path in (ROOT / p).glob("*/__init__.py")
    ]
    return [name for name in names + sorted(rooms) if name not in described]


def check_reference(app: Sphinx, env: BuildEnvironment) -> None:
    """Warn, and so fail the build, about public names that the reference lacks."""
    for name in missing_names(env.domaindata["py"]["objects"]):
        log.warning("%s has no entry in docs/reference", name)


def setup(app: Sphinx) -> None:
    """Connect the functions above."""
    app.connect("source-read", read_source)
    app.connect("autodoc-skip-member", skip_what_a_package_exports)
    app.connect("autodoc-process-docstring", read_sections)
    app.connect("env-updated", check_reference)
    app.connect("build-finished", write_notebooks)
