"""Choice of the rollouts that a sweep records: levels, site of the edit, file names."""

from __future__ import annotations

from collections.abc import Sequence

from steering.experiments.conditions import BY_NAME, PUBLISHED_SITE, REFERENCES, Key
from steering.sweep.spec import SweepSpec


def rollout_site(names: Sequence[str]) -> str:
    """Return the site where rollouts are recorded: the published site if it is swept, else the middle one."""
    return PUBLISHED_SITE if PUBLISHED_SITE in names else names[len(names) // 2]


def rollout_name(key: Key, episode: int) -> str:
    """Return the file name of a recorded rollout."""
    where = f"_{key.site}" if key.site else ""
    where += f"_x{key.coefficient:g}" if key.condition not in REFERENCES else ""
    return f"level{key.level:05d}_{key.condition}{where}_e{episode}.npz"


def rollout_keys(spec: SweepSpec, level: int, site: str) -> list[Key]:
    """Return the keys recorded on each level: the references, and each condition at one site."""
    chosen = [
        Key(level, condition, site if BY_NAME[condition].at_one_site else "", spec.coefficients[0])
        for condition in spec.conditions
    ]
    return [Key(level, name) for name in REFERENCES] + chosen
