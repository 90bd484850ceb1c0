"""The installed program, typed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def mazesteer(*args: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the installed console script."""
    script = Path(sys.executable).parent / "mazesteer"
    assert script.exists(), "the console script is not installed; run `make test`"
    return subprocess.run([script, *map(str, args)], capture_output=True, text=True, cwd=cwd, timeout=900)
