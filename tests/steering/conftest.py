"""Every steering test checks that networks are left as they were found."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def _no_leaks(leak_check: None) -> None:
    """Applies ``leak_check`` to every test of this folder."""
