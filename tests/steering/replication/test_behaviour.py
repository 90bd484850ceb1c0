"""The behaviour regression: the loss it minimizes, a planted answer, what it says with too few mazes."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from agents.networks.policy import MazePolicy
from envs.maze import Maze
from steering.experiments.exact import evaluate
from steering.experiments.levels import qualifying_levels
from steering.replication.behaviour import (
    BEHAVIOUR,
    FEWEST,
    STRONGEST,
    Fit,
    fit_logistic,
    held_out,
    measure_behaviour,
    summarize_behaviour,
)
from steering.replication.protocol import Sample, Settings, Setup
from steering.replication.run import stored_figure


def planted(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features ``[n, 4]`` on odd scales (the last constant) and the probabilities they give."""
    z = np.random.default_rng(seed).standard_normal((n, 4))
    z[:, 3] = 0.0
    p = 1 / (1 + np.exp(-(0.5 - 3.0 * z[:, 0] + 1.0 * z[:, 1])))
    return z * [3.0, 50.0, 1.0, 1.0] + [10.0, -4.0, 0.0, 7.0], p


@pytest.fixture(scope="module")
def distances() -> tuple[np.ndarray, np.ndarray]:
    """The twelve distances of real levels, ``[n, 12]``, collinear as they are, and responses near 0 and 1."""
    rows = [maze.features() for maze in qualifying_levels(range(200))[0]]
    x = np.array([list(row.values()) for row in rows])
    names, z = list(rows[0]), (x - x.mean(axis=0)) / x.std(axis=0)
    odds = -2.0 * z[:, names.index(STRONGEST)] - 1.5 * z[:, names.index("path_decision_cheese")]
    return x, 0.01 + 0.98 * (np.random.default_rng(0).random(len(x)) < 1 / (1 + np.exp(-odds)))


def objective(intercept: float, coefficients: np.ndarray, z: np.ndarray, p: np.ndarray, penalty: float) -> float:
    """Summed expected log loss plus the penalty."""
    score = intercept + z @ coefficients
    loss = p * np.logaddexp(0, -score) + (1 - p) * np.logaddexp(0, score)
    return float(loss.sum() + penalty * np.abs(coefficients).sum())


def by_saga(z: np.ndarray, p: np.ndarray, penalty: float) -> tuple[float, np.ndarray]:
    """scikit-learn's answer: every maze twice, with the cheese taken at weight p and not taken at 1 - p."""
    model = LogisticRegression(
        penalty="elasticnet", l1_ratio=1.0, solver="saga", C=1 / penalty, tol=1e-8, max_iter=100_000, random_state=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of how the penalty is asked for
        model.fit(np.vstack([z, z]), np.repeat([1, 0], len(z)), sample_weight=np.r_[p, 1 - p])
    return float(model.intercept_[0]), model.coef_[0]


def slack(fit: Fit, z: np.ndarray, p: np.ndarray, penalty: float) -> float:
    """Return a fit's distance from the conditions that hold at the minimum of a convex loss, and nowhere else."""
    residual = p - 1 / (1 + np.exp(-(fit.intercept + z @ fit.coefficients)))
    pull = z.T @ residual
    off = np.where(fit.coefficients != 0, np.abs(pull - penalty * np.sign(fit.coefficients)), np.abs(pull) - penalty)
    return max(abs(residual.sum()), off.max())


@pytest.mark.parametrize("penalty", [0.3, 1.0, 5.0, 200.0])
@pytest.mark.parametrize("kind", ["planted", "real"])
def test_the_fit_minimizes_the_expected_loss(
    distances: tuple[np.ndarray, np.ndarray], kind: str, penalty: float
) -> None:
    x, p = distances if kind == "real" else (planted(150)[0][:, :3], planted(150)[1])
    fit = fit_logistic(x, p, penalty)
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    assert slack(fit, z, p, penalty) < 1e-3 * penalty
    intercept, coefficients = by_saga(z, p, penalty)
    least = objective(intercept, coefficients, z, p, penalty)
    assert objective(fit.intercept, fit.coefficients, z, p, penalty) <= least * (1 + 1e-7)
    assert np.allclose(fit.coefficients, coefficients, atol=2e-3)
    if penalty == 200.0:
        assert (fit.coefficients == 0).all()
        assert fit.probabilities(x) == pytest.approx(np.full(len(x), p.mean()), abs=1e-4)


def test_the_order_of_collinear_columns_does_not_matter(distances: tuple[np.ndarray, np.ndarray]) -> None:
    x, p = distances
    order = np.random.default_rng(1).permutation(x.shape[1])
    assert np.linalg.matrix_rank(x - x.mean(axis=0)) < x.shape[1], "else the columns would be easy"
    there, here = fit_logistic(x[:, order], p), fit_logistic(x, p)
    assert np.allclose(there.coefficients, here.coefficients[order], atol=1e-3)
    assert (there.coefficients != 0).tolist() == (here.coefficients[order] != 0).tolist()


def test_the_sample_is_what_a_sweep_would_use(random_policy: MazePolicy) -> None:
    mazes = BEHAVIOUR.mazes(Settings("random", random_policy.sha256, "input", (0,), behaviour_levels=40))
    assert [maze.level for maze in mazes] == [maze.level for maze in qualifying_levels(range(40))[0]]


def test_a_fraction_is_worth_as_many_rollouts() -> None:
    x, _ = planted(60)
    taken = np.random.default_rng(1).integers(0, 5, size=60)  # of four rollouts each
    outcomes = np.concatenate([np.arange(4) < k for k in taken]).astype(float)
    fraction, rollouts = fit_logistic(x, taken / 4, 1.0), fit_logistic(np.repeat(x, 4, axis=0), outcomes, 4.0)
    assert np.allclose(fraction.coefficients, rollouts.coefficients, atol=1e-4)


def test_a_planted_rule_is_found() -> None:
    x, p = planted(400)
    fit = fit_logistic(x, p)
    assert fit.coefficients[0] == pytest.approx(-3.0, abs=0.3) and fit.coefficients[1] == pytest.approx(1.0, abs=0.15)
    assert abs(fit.coefficients[2]) < 0.05 and fit.coefficients[3] == 0.0
    model, base = held_out(x, p, np.random.default_rng(0))
    best = np.maximum(p, 1 - p).mean()
    assert base.mean() == pytest.approx(max(p.mean(), 1 - p.mean()))
    assert base.mean() < 0.65 < model.mean() <= best + 1e-12 and best - model.mean() < 0.02


def test_noise_predicts_nothing_on_held_out_mazes() -> None:
    rng = np.random.default_rng(2)
    n = 300
    p = (rng.random(n) < 0.5).astype(float)
    model, _ = held_out(rng.standard_normal((n, 5)), p, rng)
    assert abs(model.mean() - 0.5) < 4 * 0.5 / n**0.5


def test_the_response_is_the_exact_probability(random_policy: MazePolicy, small_maze: Maze) -> None:
    bench = Setup(random_policy, Settings("random", random_policy.sha256, "input", (0,)))
    row = measure_behaviour(bench, small_maze)
    assert row["p_cheese"] == evaluate(random_policy, small_maze).p_cheese
    assert {k: v for k, v in row.items() if k != "p_cheese"} == small_maze.features()


def test_the_summary_tells_a_planted_strongest_feature(random_policy: MazePolicy) -> None:
    bench = Setup(random_policy, Settings("random", random_policy.sha256, "input", (0,)))
    x, p = planted(120)
    names = (STRONGEST, "path_decision_cheese", "path_start_corner")
    rows = [
        {**dict(zip(names, map(float, each), strict=False)), "p_cheese": float(q)} for each, q in zip(x, p, strict=True)
    ]
    summary = summarize_behaviour(bench, Sample("behaviour", rows, 0))
    assert [claim.holds for claim in summary.claims] == [True, True, True]
    again = summarize_behaviour(bench, Sample("behaviour", rows, 0))
    assert [stored_figure(f) for f in again.figures] == [stored_figure(f) for f in summary.figures], (
        "a function of rows and seed"
    )
    few = summarize_behaviour(bench, Sample("behaviour", rows[: FEWEST - 1], 0))
    assert [claim.holds for claim in few.claims] == [None] and "nothing is fitted" in few.notes[0]
