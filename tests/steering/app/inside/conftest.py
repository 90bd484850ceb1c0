"""One session for the tests of what the workbench shows of the network's inside."""

from __future__ import annotations

import functools
from pathlib import Path

import pytest

from agents.networks.policy import MazePolicy
from steering.app.session.context import Contexts
from tests.helpers.workbench import Understood, understood_by


@pytest.fixture
def understood(policy: MazePolicy, tmp_path: Path) -> Understood:
    """``understood(maze, *edits, site=SITE, **state)``: the context of a state; all are of one session."""
    return functools.partial(understood_by, Contexts(policy, tmp_path, 0))
