"""A headless Chromium for tests of pages and films; they are skipped where there is none."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

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
