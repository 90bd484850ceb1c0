"""The files of a PPO run: its archive, the network alone, and the weights that it begins with."""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from agents.checkpoints.files import save_checkpoint
from agents.checkpoints.registry import published_from_weights, published_net
from agents.checkpoints.zoo import load_policy
from agents.networks.impala import ImpalaPolicyNet
from agents.networks.sb3_policy import MazeActorCriticPolicy, MazePPO
from agents.untrusted.weights import check_finite
from envs.errors import InputError, one_line
from envs.files import write_atomic
from envs.stored.json_records import from_json
from envs.stored.ranges import Count, Name, NonNegative, Number
from envs.stored.sources import MOST_JSON, read_file
from envs.stored.zip_members import zip_member

from stable_baselines3.common.base_class import BaseAlgorithm  # isort: skip  (after envs, which silences gym's notice)

ARCHIVE = "ppo.zip"
WEIGHTS = "ppo.safetensors"
_STATE = "mazesteer.json"
MOST_BYTES = 2**32  # of an archive, which has the weights three times


def save_run(
    model: BaseAlgorithm, options: Mapping[str, Any], out: Path, seconds: float, *, passes_left: int = 0
) -> None:
    """Write ``ppo.zip`` and ``ppo.safetensors``, each whole or not at all.

    ``seconds``: of the run so far; ``passes_left``: over the last rollout, if its update is not finished.
    """
    normalised = model.get_vec_normalize_env()
    policy = model.policy
    assert normalised is not None and isinstance(policy, MazeActorCriticPolicy) and isinstance(model, MazePPO)
    rms = normalised.ret_rms
    state = {
        "config": dict(options),
        "steps": model.num_timesteps,
        "seconds": seconds,
        "passes_left": passes_left,
        "updates": model._n_updates,
        "warm_start": model.warm,
        "return_statistics": {"mean": float(rms.mean), "var": float(rms.var), "count": float(rms.count)},
    }
    buffer = io.BytesIO()
    model.save(buffer)
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr(_STATE, json.dumps(state))
    write_atomic(out / ARCHIVE, buffer.getvalue())
    save_checkpoint(policy.net, out / WEIGHTS, {"steps": str(model.num_timesteps)})


@dataclass(frozen=True)
class ReturnStatistics:
    """Running statistics of the returns, by which rewards are scaled."""

    mean: Number
    """Mean return."""
    var: NonNegative
    """Variance of the returns."""
    count: NonNegative
    """Number of returns."""


@dataclass(frozen=True)
class RunState:
    """The state of a run that its archive keeps beside the model."""

    config: dict[Name, Any]
    """The run's options."""
    steps: Count
    """Environment steps made."""
    seconds: NonNegative
    """Wall time so far."""
    updates: Count
    """Updates of the network made."""
    warm_start: bool
    """Whether the run began with trained weights."""
    return_statistics: ReturnStatistics
    """Statistics of the returns."""
    passes_left: Count = 0
    """Passes left over the last rollout; earlier versions saved between updates only."""


def read_state(path: Path, options: Mapping[str, Any]) -> RunState | None:
    """Read the state that :func:`save_run` put beside the model; None without a file.

    Raises :class:`InputError` for a file that is damaged or of a run with other options.
    """
    if not os.path.lexists(path):
        return None
    remedy = "not the archive of a PPO run of this program: choose another --out"
    text = zip_member(read_file(path, MOST_BYTES, remedy), f"{path}: {remedy}", _STATE, MOST_BYTES, MOST_JSON)
    state = from_json(text, RunState, path, remedy)
    wanted = json.loads(json.dumps(dict(options)))
    if state.config != wanted:
        changed = sorted(k for k in wanted if state.config.get(k) != wanted[k])
        raise InputError(f"{path}: was started with other options ({', '.join(changed)}); choose another --out")
    return state


def restore(model: MazePPO, state: RunState, path: Path) -> None:
    """Give ``model`` the state that :func:`save_run` wrote to ``path``; ``state`` is that of :func:`read_state`.

    Raises :class:`InputError` if the weights or the optimiser's state in the file are damaged.
    """
    policy, normalised = model.policy, model.get_vec_normalize_env()
    assert normalised is not None and isinstance(policy, MazeActorCriticPolicy)
    try:
        model.set_parameters(str(path), device=model.device)
        for key, value in policy.net.state_dict().items():
            check_finite(key, value, str(path))
    except Exception as error:  # torch and stable-baselines3 raise many kinds for a damaged file
        raise InputError(f"{path}: damaged ({one_line(error)}); remove it or choose another --out") from None
    model.num_timesteps, model._n_updates = state.steps, state.updates
    rms, kept = normalised.ret_rms, state.return_statistics
    rms.mean, rms.var, rms.count = map(np.float64, (kept.mean, kept.var, kept.count))


def warm_weights(source: Path | ImpalaPolicyNet, scale: float) -> dict[str, torch.Tensor]:
    """Return the weights of a network, checkpoint or ``imitation.pt``; raise :class:`InputError` at another scale."""
    if isinstance(source, ImpalaPolicyNet):
        net = source
    elif Path(source).suffix == ".pt":
        net = _imitation_net(Path(source))
    else:
        net = published_net(load_policy(source))
    if net.scale != scale:
        raise InputError(f"the warm start has scale {net.scale}, the run has scale {scale}; make them equal")
    return net.state_dict()


def _imitation_net(path: Path) -> ImpalaPolicyNet:
    try:
        weights = torch.load(io.BytesIO(read_file(path, MOST_BYTES)), weights_only=True)["net"]
    except Exception as error:  # torch raises many kinds for a damaged or foreign file
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(f"{path}: not the state of a warm start ({reason})") from None
    return published_from_weights(weights, str(path))
