"""The report as its readers get it: in a real browser, on a phone, on paper, and as Markdown."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from steering.executors import Cluster
from steering.run import SweepOptions, rewrite, run_layer_sweep
from tests.browser import chromium

SITES = ("input", "embedder.block2.res1.resadd", "embedder.relu3")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real sweep of three small levels."""
    out = tmp_path_factory.mktemp("report") / "run"
    options: dict[str, Any] = {"levels": "26,54,208", "n_levels": None, "sites": ",".join(SITES), "horizon": 64}
    options |= {"conditions": ("subtract", "random"), "coefficients": (1.0,), "seed": 0, "mode": "hard"}
    options |= {"random_draws": 1, "episodes": 1, "workers": 1, "cluster": Cluster()}
    run_layer_sweep(SweepOptions(checkpoint="region5", out=out, **options))
    return out


def test_the_page_opens_without_a_complaint_and_asks_nothing_of_the_network(run: Path) -> None:
    with chromium() as browser:
        for width, height in ((1200, 900), (390, 844)):
            page = browser.new_page(viewport={"width": width, "height": height})
            complaints: list[str] = []
            asked: list[str] = []
            page.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None)  # noqa: B023
            page.on("pageerror", lambda error: complaints.append(str(error)))  # noqa: B023
            page.on("request", lambda request: asked.append(request.url))  # noqa: B023
            page.goto(f"file://{run}/report.html")
            page.wait_for_selector("#figure-blindness .main-svg")
            assert complaints == []
            assert [url for url in asked if not url.startswith((f"file://{run}/", "data:", "blob:"))] == []
            figures = page.locator("figure")
            assert figures.count() >= 4
            for i in range(figures.count()):
                figure = figures.nth(i)
                assert figure.locator(".main-svg").count() > 0, "a figure was not drawn"
                assert len(figure.locator("figcaption").inner_text()) > 60
            wide, shown = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
            assert wide <= shown, "the page is wider than the screen"
            picture = np.array(Image.open(io.BytesIO(page.screenshot(full_page=True))).convert("L"))
            rows = picture.reshape(-1, picture.shape[1]).std(axis=1)
            assert picture.shape[1] == width and (rows > 0).mean() > 0.3, "most of the page is blank"
            page.close()
        page = browser.new_page()
        page.goto(f"file://{run}/report.html")
        page.wait_for_selector("#figure-blindness .main-svg")
        page.emulate_media(media="print")
        paper = page.pdf(format="A4")
        assert paper.startswith(b"%PDF") and len(paper) > 20_000


def test_markdown_and_page_give_the_numbers_of_the_summary(run: Path) -> None:
    summary = json.loads((run / "summary.json").read_text())
    text, page = (run / "report.md").read_text(), (run / "report.html").read_text()
    for site in summary["sites"]:
        row = site["conditions"]["subtract"]
        for value in (row["blindness"], row["competence"], row["p_cheese"]):
            assert f"{value:.3f}" in text and f"{value:.3f}" in page
    for part in (summary["checkpoint"]["sha256"], "torch ", "numpy ", "Versions:"):
        assert part in text and part in page
    for entry in summary["levels"]["skipped"]:
        assert re.search(rf"\b{entry['level']}\b", text)
    assert "\n\n\n\n" not in text and "None" not in text and "nan" not in text.lower().split()


def test_what_is_of_another_checkpoint_is_left_out_with_a_note(run: Path) -> None:
    (run / "probes.json").write_text(json.dumps({"sha256": "f" * 64}))
    try:
        rewrite(run)
        assert "probes.json is of another checkpoint" in (run / "report.md").read_text()
    finally:
        (run / "probes.json").unlink()
