"""procgen itself: the bytes of its states, and its pictures of them (no torch)."""

from envs.lazy import lazy_exports

__getattr__, __all__ = lazy_exports(
    {
        "MazeState": "envs.simulator.state_bytes",
    }
)
