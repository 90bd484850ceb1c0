"""``python -m steering.cli``."""

from __future__ import annotations

from steering.cli.app import main

if __name__ == "__main__":
    main()
