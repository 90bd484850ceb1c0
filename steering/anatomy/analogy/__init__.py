"""Whether the cheese vector of one maze, added to another maze's activations, is the cheese there."""

from envs.lazy import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "Analogy": "steering.anatomy.analogy.pairs",
        "analogies_of": "steering.anatomy.analogy.pairs",
        "analogy_row": "steering.anatomy.analogy.measure",
    },
)
