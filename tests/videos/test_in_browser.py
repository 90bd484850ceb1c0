"""Films play where people watch them: in Chromium, decoded by the browser itself."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from videos.encode import write_film

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGS = (
    "--no-sandbox --disable-dev-shm-usage --disable-gpu --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
).split()
PLAY = """async () => {
  const video = document.querySelector("video");
  const state = () => ({time: video.currentTime, width: video.videoWidth, height: video.videoHeight,
                        duration: video.duration, error: video.error && video.error.message});
  const ended = new Promise((done) => video.addEventListener("ended", () => done("ended")));
  const failed = new Promise((done) => video.addEventListener("error", () => done("error")));
  const late = new Promise((done) => setTimeout(() => done("late"), 20000));
  await video.play().catch(() => null);
  const how = await Promise.race([ended, failed, late]);
  const canvas = new OffscreenCanvas(2, 2), pen = canvas.getContext("2d");
  pen.drawImage(video, 0, 0, 2, 2);
  return {...state(), how, pixel: Array.from(pen.getImageData(0, 0, 1, 1).data.slice(0, 3))};
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no chromium is installed")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=CHROMIUM, args=[*ARGS, "--allow-file-access-from-files"])
        yield chromium
        chromium.close()


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
@pytest.mark.parametrize("size", [(654, 1048), (101, 203)])
def test_a_film_plays_in_chromium(browser: Any, tmp_path: Path, suffix: str, size: tuple[int, int]) -> None:
    shades = np.linspace(40, 200, 12).astype(np.uint8)
    frames = [np.full((*size, 3), (shade, 90, 60), dtype=np.uint8) for shade in shades]
    film = write_film(tmp_path / f"film{suffix}", frames, fps=12)
    page = tmp_path / "page.html"
    page.write_text(f'<video muted src="{film.name}"></video>')
    tab = browser.new_page()
    try:
        tab.goto(page.as_uri())
        seen = tab.evaluate(PLAY)
    finally:
        tab.close()
    assert (seen["how"], seen["error"]) == ("ended", None)
    assert (seen["height"], seen["width"]) == tuple(side + side % 2 for side in size)
    assert seen["duration"] == pytest.approx(1.0, abs=0.15) and seen["time"] == pytest.approx(
        seen["duration"], abs=0.15
    )
    assert np.abs(np.array(seen["pixel"]) - (200, 90, 60)).max() <= 8, "the last frame, in its colours"
