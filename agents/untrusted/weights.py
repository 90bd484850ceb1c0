"""Weights from a file into a network: every key, shape and number is checked first."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from envs.errors import InputError, shown

DIMENSIONS = 64  # the most that torch computes with
KINDS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def check_finite(key: str, found: Tensor, where: str) -> None:
    """Raise :class:`InputError` unless ``found`` holds numbers of one of ``KINDS`` that are finite in float32."""
    if not found.numel() or found.ndim > DIMENSIONS:
        raise InputError(f"checkpoint {where}: {shown(key)} is {shown(tuple(found.shape))}, expected weights")
    if found.dtype not in KINDS:
        raise InputError(f"checkpoint {where}: {shown(key)} holds {found.dtype}, expected floating-point weights")
    if not torch.isfinite(found.float()).all():
        raise InputError(f"checkpoint {where}: {shown(key)} holds NaN or infinite weights")


def fill(net: nn.Module, weights: Mapping[str, Tensor], where: str) -> None:
    """Give ``net`` (built on the meta device) the ``weights`` in float32.

    Raises :class:`InputError` that names the first key that is missing, foreign, of another
    shape, or not finite.
    """
    expected = net.state_dict()
    for key, blank in expected.items():
        found = weights.get(key)
        if found is None:
            raise InputError(f"checkpoint {where}: {key} is missing")
        if found.shape != blank.shape:
            raise InputError(f"checkpoint {where}: {key} is {shown(tuple(found.shape))}, expected {tuple(blank.shape)}")
        check_finite(key, found, where)
    foreign = sorted(set(weights) - set(expected))
    if foreign:
        raise InputError(f"checkpoint {where}: unknown key {shown(foreign[0])} (and {len(foreign) - 1} more)")
    net.load_state_dict({key: weights[key].float().contiguous() for key in expected}, assign=True)
