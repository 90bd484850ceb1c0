"""The behaviour regression: the loss it minimizes, a planted answer, what it says with too few mazes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from agents.policy import MazePolicy
from envs.maze import Maze
from steering.behaviour import FEWEST, STRONGEST, fit_logistic, held_out, measure_behaviour, summarize_behaviour
from steering.evaluate import evaluate
from steering.findings import Bench, Sample, Settings


def planted(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Features ``[n, 4]`` on odd scales (the last constant) and the probabilities they give."""
    z = np.random.default_rng(seed).standard_normal((n, 4))
    z[:, 3] = 0.0
    p = 1 / (1 + np.exp(-(0.5 - 3.0 * z[:, 0] + 1.0 * z[:, 1])))
    return z * [3.0, 50.0, 1.0, 1.0] + [10.0, -4.0, 0.0, 7.0], p


def objective(parts: np.ndarray, z: np.ndarray, p: np.ndarray, penalty: float) -> float:
    """Summed expected log loss plus the penalty; ``parts``: intercept, positive parts, negative parts."""
    k = z.shape[1]
    score = parts[0] + z @ (parts[1 : k + 1] - parts[k + 1 :])
    loss = p * np.logaddexp(0, -score) + (1 - p) * np.logaddexp(0, score)
    return float(loss.sum() + penalty * parts[1:].sum())


@pytest.mark.parametrize("penalty", [0.3, 5.0, 200.0])
def test_the_fit_minimizes_the_expected_loss(penalty: float) -> None:
    x, p = planted(150)
    x = x[:, :3]
    fit = fit_logistic(x, p, penalty)
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    bounds = [(None, None)] + [(0, None)] * 6
    best = minimize(objective, np.full(7, 0.1), (z, p, penalty), "L-BFGS-B", bounds=bounds, options={"ftol": 1e-14})
    assert np.allclose(fit.coefficients, best.x[1:4] - best.x[4:], atol=2e-3)
    assert fit.intercept == pytest.approx(best.x[0], abs=2e-3)
    if penalty == 200.0:
        assert (fit.coefficients == 0).all() and fit.probabilities(x) == pytest.approx(np.full(150, p.mean()), abs=1e-4)


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
    bench = Bench(random_policy, Settings("random", random_policy.sha256, "input", (0,)))
    row = measure_behaviour(bench, small_maze)
    assert row["p_cheese"] == evaluate(random_policy, small_maze).p_cheese
    assert {k: v for k, v in row.items() if k != "p_cheese"} == small_maze.features()


def test_the_summary_tells_a_planted_strongest_feature(random_policy: MazePolicy) -> None:
    bench = Bench(random_policy, Settings("random", random_policy.sha256, "input", (0,)))
    x, p = planted(120)
    names = (STRONGEST, "path_decision_cheese", "path_start_corner")
    rows = [{**dict(zip(names, map(float, each), strict=False)), "p_cheese": float(q)}
            for each, q in zip(x, p, strict=True)]  # fmt: skip
    summary = summarize_behaviour(bench, Sample("behaviour", rows, 0))
    assert [claim.holds for claim in summary.claims] == [True, True, True]
    again = summarize_behaviour(bench, Sample("behaviour", rows, 0))
    assert [f.to_json() for f in again.figures] == [f.to_json() for f in summary.figures], "a function of rows and seed"
    few = summarize_behaviour(bench, Sample("behaviour", rows[: FEWEST - 1], 0))
    assert [claim.holds for claim in few.claims] == [None] and "nothing is fitted" in few.notes[0]
