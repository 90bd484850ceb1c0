"""Readouts at the mouse's own place, and whether what they read is used."""

from envs.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "WriteOptions": "steering.readouts.written_run",
        "learn_directions": "steering.readouts.directions",
        "move_vector": "steering.readouts.directions",
        "run_write_moves": "steering.readouts.written_run",
    },
)
