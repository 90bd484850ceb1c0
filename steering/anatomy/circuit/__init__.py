"""Sub-circuits: how few channels carry the cheese, and how few can be removed for all levels at once."""

from envs.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "CircuitLevel": "steering.anatomy.circuit.level",
        "DrawnStates": "steering.anatomy.circuit.states",
        "drawn_states": "steering.anatomy.circuit.states",
    },
)
