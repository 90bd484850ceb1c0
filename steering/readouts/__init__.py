"""Readouts of the next move at the mouse's own place, and whether what they read is used."""

from envs.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "Frames": "steering.readouts.frames",
        "Moments": "steering.readouts.learners",
        "Readout": "steering.readouts.learners",
        "ReadoutOptions": "steering.readouts.run",
        "WriteOptions": "steering.readouts.written_run",
        "drawn_frames": "steering.readouts.frames",
        "learn_directions": "steering.readouts.directions",
        "move_vector": "steering.readouts.directions",
        "run_readouts": "steering.readouts.run",
        "run_write_moves": "steering.readouts.written_run",
    },
)
