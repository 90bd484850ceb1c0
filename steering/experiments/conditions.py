"""steering.experiments.conditions."""

from __future__ import annotations

PUBLISHED_SITE = "embedder.block2.res1.resadd"
