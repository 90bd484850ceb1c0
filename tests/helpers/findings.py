"""All of a made-up ``replicate.json``."""

from __future__ import annotations

from typing import Any

from steering.sweep.artifacts import REPLICATE

STORED: dict[str, Any] = {
    "format": REPLICATE.format,
    "checkpoint": {"name": "agent", "sha256": "0" * 64},
    "settings": {"sha256": "0" * 64, "site": "relu3", "horizon": 256, "seed": 0, "mode": "hard"},
    "findings": {
        "effect": {
            "what": "what subtraction does",
            "published": "a post, 2023",
            "figures": [
                {"label": "share", "value": 0.25, "low": 0.125, "high": 0.5, "published": 0.524},
                {"label": "count", "value": 3.0, "low": None, "high": None, "published": 3},
                {"label": "range", "value": None, "low": None, "high": None, "published": "0.1 to 0.2"},
                {"label": "none", "value": 1e-05, "low": 0.0, "high": 1.0, "published": None},
            ],
            "claims": [{"text": "less", "holds": True}, {"text": "more", "holds": None}],
            "verdict": "undecided on these mazes (less: yes; more: undecided)",
            "mazes": 2,
            "notes": ["Two mazes."],
            "levels": [3, 7],
        }
    },
    "rows": {"effect": {"3": {"clean": 0.5, "targets": [[1.0, None]]}, "7": {"clean": None, "targets": []}}},
}
