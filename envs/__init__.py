"""The maze world: states, mazes, dynamics, exact chains and procgen itself (no torch).

Public names are loaded on first use, so importing the package costs nothing.
"""

from envs.lazy import lazy_exports

__getattr__, __all__ = lazy_exports(
    {
        "Maze": "envs.maze",
        "State": "envs.maze",
        "Trajectory": "envs.trajectory",
        "transition_table": "envs.dynamics",
    }
)
