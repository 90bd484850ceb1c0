"""Films play where people watch them: in Chromium, decoded by the browser itself."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers.browser import chromium
from videos.encode import write_film

KINDS = {".mp4": "video/mp4", ".webm": "video/webm", ".gif": "image/gif"}
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

SHOW = """async () => {
  const image = document.querySelector("img");
  await image.decode();
  const canvas = new OffscreenCanvas(2, 2), pen = canvas.getContext("2d");
  pen.drawImage(image, 0, 0, 2, 2);
  return {size: [image.naturalWidth, image.naturalHeight],
          pixel: Array.from(pen.getImageData(0, 0, 1, 1).data.slice(0, 3))};
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


def address(film: Path) -> str:
    """The film itself as an address: a page may read the pixels of such a film."""
    return f"data:{KINDS[film.suffix]};base64,{base64.b64encode(film.read_bytes()).decode()}"


def shown(browser: Any, html: str, script: str) -> dict[str, Any]:
    """Return a script's answer on a page of its own."""
    tab = browser.new_page()
    try:
        tab.set_content(html)
        found: dict[str, Any] = tab.evaluate(script)
        return found
    finally:
        tab.close()


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
@pytest.mark.parametrize("size", [(654, 1048), (101, 203)])
def test_a_film_plays_in_chromium(browser: Any, tmp_path: Path, suffix: str, size: tuple[int, int]) -> None:
    shades = np.linspace(40, 200, 12).astype(np.uint8)
    frames = [np.full((*size, 3), (shade, 90, 60), dtype=np.uint8) for shade in shades]
    film = write_film(tmp_path / f"film{suffix}", frames, fps=12)
    seen = shown(browser, f'<video muted src="{address(film)}"></video>', PLAY)
    assert (seen["how"], seen["error"]) == ("ended", None)
    assert (seen["height"], seen["width"]) == tuple(side + side % 2 for side in size)
    assert seen["duration"] == pytest.approx(1.0, abs=0.15) and seen["time"] == pytest.approx(
        seen["duration"], abs=0.15
    )
    assert np.abs(np.array(seen["pixel"]) - (200, 90, 60)).max() <= 8, "the last frame, in its colours"


def test_a_gif_is_shown_in_chromium(browser: Any, tmp_path: Path) -> None:
    frames = [np.full((60, 80, 3), (200, 90, 60), dtype=np.uint8)] * 2
    film = write_film(tmp_path / "film.gif", frames)
    seen = shown(browser, f'<img src="{address(film)}">', SHOW)
    assert seen["size"] == [80, 60] and np.abs(np.array(seen["pixel"]) - (200, 90, 60)).max() <= 8
