"""What the cheese vector is made of: its parts, and angles between the vectors of cells."""

from envs.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "AnatomyOptions": "steering.anatomy.run",
        "run_anatomy": "steering.anatomy.run",
    },
)
