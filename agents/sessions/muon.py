"""Muon: momentum made orthogonal, for the weights between a network's first layer and its heads.

Jordan et al. 2024 (kellerjordan.github.io/posts/muon); Bernstein and Newhouse 2024 (arXiv 2409.20325). The
update of a weight matrix is its momentum with all singular values brought near one by five
Newton-Schulz steps, so that weak directions of the gradient move as fast as strong ones. Why it is
ours and not torch's: docs/decisions/0005-muon.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

# Odd polynomial a x + b x^3 + c x^5 whose repeated application takes (0, 1] into about [0.7, 1.2] (Jordan et al. 2024).
_A, _B, _C = 3.4445, -4.7750, 2.0315
_STEPS = 5


def orthogonalized(matrices: Tensor, *, bf16: bool = False) -> Tensor:
    """Return ``[k, m, n]`` with singular values brought near one (zero stays zero), in their own bases; ``float32``.

    ``bf16``: compute in bfloat16, which is exact enough for a direction of descent.
    """
    x = matrices.to(torch.bfloat16 if bf16 else torch.float32)
    tall = x.shape[-2] > x.shape[-1]
    x = x.mT if tall else x
    x = x / (torch.linalg.matrix_norm(x, keepdim=True) + 1e-7)
    for _ in range(_STEPS):
        gram = x @ x.mT
        x = _A * x + (_B * gram + _C * gram @ gram) @ x
    return (x.mT if tall else x).float()


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalized; a convolution's kernel is the matrix ``[out, in * h * w]``.

    Raises ``ValueError`` for a parameter with fewer than two axes: leave those to Adam.
    """

    def __init__(self, params: Iterable[Tensor], lr: float, *, momentum: float = 0.95, bf16: bool = False) -> None:
        params = list(params)
        if any(p.ndim < 2 for p in params):
            raise ValueError("Muon takes matrices and kernels; a parameter has fewer than two axes")
        super().__init__(params, {"lr": lr, "momentum": momentum})
        self._bf16 = bf16

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """Update every parameter that has a gradient; those of one shape together."""
        for group in self.param_groups:
            alike: dict[tuple[int, ...], list[tuple[Tensor, Tensor]]] = {}
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if not state:
                    state["momentum"] = torch.zeros_like(p.grad)
                state["momentum"].lerp_(p.grad, 1 - group["momentum"])
                alike.setdefault(tuple(p.shape), []).append((p, p.grad.lerp(state["momentum"], group["momentum"])))
            for shape, pairs in alike.items():
                stacked = torch.stack([update.flatten(1) for _, update in pairs])
                stretch = max(1.0, stacked.shape[-2] / stacked.shape[-1]) ** 0.5
                for (p, _), update in zip(pairs, orthogonalized(stacked, bf16=self._bf16), strict=True):
                    p.add_(update.reshape(shape), alpha=-group["lr"] * stretch)


def hidden_weights(net: nn.Module) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """Return (weights for :class:`Muon`, all other parameters) of the maze network.

    Muon's are the kernels and matrices but for the first convolution and the two heads, which, like
    the biases, are Adam's (Jordan et al. 2024).
    """
    others = ("embedder.block1.conv.weight", "fc_policy.weight", "fc_value.weight")
    hidden = {name for name, p in net.named_parameters() if p.ndim >= 2 and name not in others}
    return (
        [p for name, p in net.named_parameters() if name in hidden],
        [p for name, p in net.named_parameters() if name not in hidden],
    )
