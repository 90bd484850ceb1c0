"""The maze world: mazes, moves, exact chains, recordings and files (no torch)."""

from envs.lazy import lazy_exports

__getattr__, __all__ = lazy_exports(
    {
        "Maze": "envs.maze",
        "State": "envs.maze",
        "Trajectory": "envs.trajectory",
        "transition_table": "envs.dynamics",
    }
)
