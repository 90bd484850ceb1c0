"""Arrays over mazes in, numbers with intervals out (no torch, no files)."""

from envs.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "Boundary": "steering.statistics.boundary",
        "Curves": "steering.statistics.boundary",
        "PairedEffect": "steering.statistics.paired",
        "blindness": "steering.statistics.bootstrap",
        "blindness_interval": "steering.statistics.bootstrap",
        "competence": "steering.statistics.bootstrap",
        "counts": "steering.statistics.bootstrap",
        "find_boundary": "steering.statistics.boundary",
        "generator": "steering.statistics.seeding",
        "holm": "steering.statistics.paired",
        "levels_needed": "steering.statistics.sample_size",
        "paired_effect": "steering.statistics.paired",
        "ratio_interval": "steering.statistics.bootstrap",
        "resamples": "steering.statistics.bootstrap",
    },
)
