"""The supervised update of both halves of the warm start: labelled states, their loss, a session of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from agents.networks.policy import move_log_probabilities, to_input
from agents.sessions.session import Session, UpdateConfig


@dataclass(frozen=True)
class Batch:
    """Labelled states."""

    frames: np.ndarray
    """Observations ``uint8[n, 64, 64, 3]``."""
    moves: np.ndarray
    """Target moves ``int64[n]``, values of :class:`Move`."""
    returns: np.ndarray
    """Discounted returns of the teacher's way, ``float32[n]`` in 0..1: the targets of the value head."""


def batch_loss(net: nn.Module, batch: Batch, config: UpdateConfig) -> tuple[Tensor, dict[str, float], Tensor]:
    """Return loss (cross-entropy over moves plus weighted squared error of the value), figures, logits ``[n, 15]``."""
    device = next(net.parameters()).device
    x = to_input(batch.frames, device)
    with torch.autocast(device.type, torch.bfloat16, enabled=config.bf16):
        logits, values = net(x)
    moves = torch.from_numpy(batch.moves).to(device)
    log_p = move_log_probabilities(logits.float())
    policy_loss = nn.functional.nll_loss(log_p, moves)
    value_loss = nn.functional.mse_loss(values.float(), torch.from_numpy(batch.returns).to(device))
    accuracy = (log_p.argmax(-1) == moves).float().mean()
    figures = {"loss": policy_loss.item(), "value_loss": value_loss.item(), "accuracy": accuracy.item()}
    return policy_loss + config.value_weight * value_loss, figures, logits.detach().float().cpu()


class SupervisedSession(Session):
    """A session whose updates are from labelled states."""

    def step(self, batch: Batch, **extra: Callable[[Tensor], float]) -> Tensor:
        """Make one update; return the logits ``float32[n, 15]`` it was made with.

        ``extra`` maps names of further figures to functions of the logits.
        """
        loss, figures, logits = batch_loss(self.net, batch, self.config)
        figures.update({name: figure(logits) for name, figure in extra.items()})
        self.descend([loss])
        self.advance(self.config.batch_size, figures)
        return logits
