"""Whether an agent plans, how far ahead, and where in the network its plan is: measured on pairs of mazes."""

from envs.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "Goal": "steering.planning.pairs",
        "Kind": "steering.planning.pairs",
        "Pair": "steering.planning.pairs",
        "PlanningOptions": "steering.planning.run",
        "drawn_pairs": "steering.planning.pairs",
        "pair_answers": "steering.planning.behaviour",
        "patched": "steering.planning.located",
        "reader_moves": "steering.planning.readers",
        "run_planning": "steering.planning.run",
        "shown_cheese": "steering.planning.located",
        "shown_detour": "steering.planning.located",
    },
)
