"""The behaviour regression: from distances in a maze to whether the mouse takes the cheese.

The published analysis sampled rollouts and fitted a logistic regression with an L1 penalty on z-scored distances. Here
the response is the exact probability of reaching the cheese: a binomial model takes a fraction as it takes 0 and 1, and
its loss is then the expected loss over rollouts, without their noise.

The distances are collinear: those along the paths add up. Coordinate descent that leaves a coefficient alone once it is
zero (statsmodels' ``fit_regularized`` for a GLM) stops short of the minimum there, and scikit-learn's solvers ask for
the penalty by other names in each of the versions in use. So the loss and its gradient are written out and L-BFGS-B
finds the minimum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from envs.maze import Maze
from steering.experiments.levels import skip_reason
from steering.records.replication import PUBLISHED
from steering.replication.protocol import (
    Claim,
    Finding,
    FindingSummary,
    Measure,
    Measurement,
    Sample,
    Setup,
    mean,
    mean_change,
)
from steering.statistics.bootstrap import interval
from steering.statistics.seeding import generator

STRONGEST = "euclid_cheese_corner"
FOLDS = 5
REFITS = 1000  # bootstrap fits; a share of them near .95 has a standard error of .007
FEWEST = 4 * FOLDS  # mazes below which nothing is fitted
TIGHT = {"ftol": 1e-13, "gtol": 1e-7, "maxiter": 20_000, "maxfun": 100_000}  # a fit takes some hundred steps
PENALTY = 1.0  # weight of the L1 norm against the summed log loss


@dataclass(frozen=True)
class Fit:
    """A logistic regression: log-odds ``intercept + coefficients @ z`` of ``z = (x - centre) / scale``."""

    centre: np.ndarray
    """Mean of each feature, ``float64[n_features]``."""
    scale: np.ndarray
    """Standard deviation of each feature, 1 for a constant one: ``float64[n_features]``."""
    intercept: float
    """Log-odds where all features are at their means."""
    coefficients: np.ndarray
    """Log-odds per standard deviation of each feature, ``float64[n_features]``."""

    def probabilities(self, x: np.ndarray) -> np.ndarray:
        """Return probabilities ``float64[n]`` for features ``float64[n, n_features]``."""
        return np.asarray(expit(self.intercept + (x - self.centre) / self.scale @ self.coefficients))


def fit_logistic(x: np.ndarray, p: np.ndarray, penalty: float = PENALTY) -> Fit:
    """Fit an L1 logistic regression of fractions ``float64[n]`` in 0..1 on z-scored ``float64[n, n_features]``.

    Least ``sum of expected log loss + penalty * |coefficients|``; the intercept is not penalized. A constant feature
    has the coefficient 0. A coefficient is the difference of two parts that are not negative, so that the penalty is
    linear in them.
    """
    centre, scale = x.mean(axis=0), x.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    z, k = (x - centre) / scale, x.shape[1]
    design = np.column_stack([np.ones(len(z)), z, -z])
    weights = np.r_[0.0, np.full(2 * k, penalty)]

    def loss(parts: np.ndarray) -> tuple[float, np.ndarray]:
        score = design @ parts
        value = np.logaddexp(0.0, score).sum() - p @ score + weights @ parts
        return float(value), design.T @ (expit(score) - p) + weights

    bounds = [(None, None)] + [(0.0, None)] * (2 * k)
    found = minimize(loss, np.zeros(2 * k + 1), jac=True, method="L-BFGS-B", bounds=bounds, options=TIGHT).x
    return Fit(centre, scale, float(found[0]), found[1 : k + 1] - found[k + 1 :])


def held_out(x: np.ndarray, p: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return expected accuracy on each maze, ``float64[n]``: by a fit on other folds, and by always saying the same.

    The base rate knows the majority of all mazes; a majority of the other folds would be wrong more often than not
    where the two are equal.
    """
    model = np.empty(len(p))
    for fold in np.array_split(rng.permutation(len(p)), FOLDS):
        rest = np.setdiff1d(np.arange(len(p)), fold)
        says_cheese = fit_logistic(x[rest], p[rest]).probabilities(x[fold]) >= 0.5
        model[fold] = np.where(says_cheese, p[fold], 1.0 - p[fold])
    return model, p if p.mean() >= 0.5 else 1.0 - p


def measure_behaviour(bench: Setup, maze: Maze) -> Measurement:
    """Measure the maze's distances and the exact probability of the cheese."""
    return {**maze.features(), "p_cheese": bench.evaluator(maze).clean_outcome().p_cheese}


def summarize_behaviour(bench: Setup, sample: Sample) -> FindingSummary:
    """Sum up held-out accuracy against the base rate, and the coefficients of the fit on all mazes."""
    if len(sample) < FEWEST:
        return FindingSummary(
            (sample.figure("mean P(cheese)", mean, "p_cheese"),),
            (Claim("distances predict whether the cheese is taken", None),),
            (f"{len(sample)} mazes can be used, and nothing is fitted below {FEWEST}.",),
        )
    names = [name for name in sample.rows[0] if name != "p_cheese"]
    x, p = np.column_stack([sample.column(name) for name in names]), sample.column("p_cheese")
    model, base = held_out(x, p, generator(sample.seed, 0, "behaviour folds", 0))
    fit = fit_logistic(x, p)
    refits = _refits(x, p, generator(sample.seed, 0, "behaviour refits", 0))
    low, high = interval(refits)
    coefficients = {
        name: Measure(f"coefficient of {name}", float(value), float(low[i]), float(high[i]))
        for i, (name, value) in enumerate(zip(names, fit.coefficients, strict=True))
    }
    share = float(np.mean(np.abs(refits).argmax(axis=1) == names.index(STRONGEST)))
    strongest = names[int(np.abs(fit.coefficients).argmax())]
    gain = sample.figure("accuracy above the base rate", mean_change, model, base)
    ranked = sorted(coefficients.values(), key=lambda figure: -abs(figure.value))
    return FindingSummary(
        (
            sample.figure("mean P(cheese)", mean, p),
            sample.figure("accuracy on held-out mazes", mean, model, published="0.83 to 0.84"),
            sample.figure("base rate", mean, base, published="0.69 to 0.71"),
            gain,
            sample.figure("accuracy of the best prediction there can be", mean, np.maximum(p, 1.0 - p)),
            *(figure for figure in ranked if figure.value != 0.0),
            Measure(f"share of refits in which {STRONGEST} is the strongest", share, float("nan"), float("nan")),
        ),
        (
            Claim("distances predict better than the base rate", gain.above(0)),
            Claim(f"the coefficient of {STRONGEST} is negative", coefficients[STRONGEST].below(0)),
            Claim(
                f"the coefficient of {STRONGEST} is the strongest",
                True if share > 0.95 else False if share < 0.05 else None,
            ),
        ),
        (
            f"Used are {len(sample)} mazes with a decision square and their cheese outside the top-right 5x5, as in a "
            f"sweep. The size of the published sample suggests the same choice. There are {FOLDS} folds of mazes and "
            f"{REFITS} bootstrap refits.",
            f"The strongest here is {strongest}. Distances along paths add up: from start to cheese by the decision "
            "square. So several coefficients may share a weight.",
        ),
    )


def _refits(x: np.ndarray, p: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return coefficients ``float64[REFITS, n_features]`` of fits on mazes drawn with replacement."""
    found: list[Sequence[float]] = []
    for _ in range(REFITS):
        drawn = rng.integers(len(p), size=len(p))
        found.append(fit_logistic(x[drawn], p[drawn]).coefficients.tolist())
    return np.array(found)


BEHAVIOUR = Finding(
    PUBLISHED["behaviour"],
    measure_behaviour,
    summarize_behaviour,
    levels=lambda settings: range(settings.behaviour_levels),
    keeps=lambda _, maze: skip_reason(maze) is None,
    revision=2,
)
