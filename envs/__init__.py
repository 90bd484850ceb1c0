"""The maze world: mazes, moves, exact chains, recordings and files (no torch)."""

from envs.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "Facing": "envs.actions",
        "InputError": "envs.errors",
        "Maze": "envs.maze",
        "Move": "envs.actions",
        "State": "envs.maze",
        "Trajectory": "envs.trajectory",
        "recorded_maze": "envs.recording",
        "replay": "envs.recording",
        "transition_table": "envs.dynamics",
    },
)
