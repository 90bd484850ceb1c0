"""A headless Chromium for tests of pages and films; they are skipped where there is none."""

from __future__ import annotations

import contextlib
import io
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

FLAGS = (
    "--no-sandbox --disable-dev-shm-usage --disable-gpu --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """A running browser (playwright's ``Browser``); skips the test where none is installed.

    With ``MAZESTEER_BROWSER=1`` in the environment a missing one fails the test instead.
    """
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        assert not os.environ.get("MAZESTEER_BROWSER"), "MAZESTEER_BROWSER is set, and no Chromium is installed"
        pytest.skip("no Chromium installed (Debian: apt install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=program, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


def looked_at(browser: Any, path: Path, *expected: str) -> None:
    """A page on a screen and on a phone: no complaint, no request but for itself, every figure drawn, nothing cut off.

    Its sentence, its figure and its cards are on the first screen; everything else is unfolded and looked at too.

    ``expected`` are ids of figures that must be among them.
    """
    for width, height in ((1200, 900), (390, 844)):
        page = browser.new_page(viewport={"width": width, "height": height})
        complaints: list[str] = []
        asked: list[str] = []
        page.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None)  # noqa: B023
        page.on("pageerror", lambda error: complaints.append(str(error)))  # noqa: B023
        page.on("request", lambda request: asked.append(request.url))  # noqa: B023
        page.goto(f"file://{path}")
        page.wait_for_selector("figure .main-svg")
        assert len(page.locator(".answer").inner_text().split()) <= 30
        ends = page.locator(".answer, main > figure .plot, .card").evaluate_all(
            "parts => parts.map((part) => part.getBoundingClientRect().bottom)"
        )
        assert max(ends) <= height, "what a page says first is not on its first screen"
        unfold(page)
        assert not complaints, complaints[0]
        assert [url for url in asked if url != f"file://{path}" and not url.startswith(("data:", "blob:"))] == []
        figures = page.locator("figure")
        for name in expected:
            assert page.locator(f"figure #figure-{name} .main-svg").count() > 0, name
        for i in range(figures.count()):
            figure = figures.nth(i)
            assert figure.locator(".main-svg").count() > 0, "a figure was not drawn"
            assert len(figure.locator("figcaption").inner_text()) > 60
        tables = page.locator("table").evaluate_all(
            "all => all.map((t) => t.scrollWidth - t.parentElement.clientWidth)"
        )
        assert width < 1000 or max(tables, default=0) <= 1, "a table is wider than its page"
        wide, shown = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert wide <= shown, "the page is wider than the screen"
        picture = np.array(Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("L"))
        rows = picture.reshape(-1, picture.shape[1]).std(axis=1)
        assert picture.shape[1] == width and (rows > 0).mean() > 0.3, "most of the page is blank"
        page.close()


def unfold(page: Any) -> None:
    """Open everything that is folded, and have every figure drawn, which a page does where it comes into view."""
    page.evaluate("document.querySelectorAll('details').forEach((part) => { part.open = true; })")
    for plot in page.locator(".plot").all():
        plot.scroll_into_view_if_needed()
        plot.locator(".main-svg").first.wait_for()
