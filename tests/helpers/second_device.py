"""A second device made of the processor: tensors on it do not mix with those that were left behind."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

SECOND = torch.device("lazy", 0)  # a kind that torch knows, and has no code for here
# As on a GPU, an index may stay on the processor; a copy is what goes from one to the other.
_MAY_MIX = {"aten::_to_copy", "aten::copy_", "aten::index.Tensor", "aten::index_put", "aten::index_put_"}


class Misplaced(AssertionError):
    """An operation met tensors of both devices."""


class SecondTensor(Tensor):
    """A tensor that says it is on :data:`SECOND`; it holds one of the processor that does the work."""

    held: Tensor

    @staticmethod
    def __new__(cls, held: Tensor) -> SecondTensor:
        """Make the tensor around ``held``."""
        made: SecondTensor = Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls,
            held.size(),
            strides=held.stride(),
            storage_offset=held.storage_offset(),
            dtype=held.dtype,
            device=SECOND,
            requires_grad=held.requires_grad,
        )
        made.held = held
        return made

    def __repr__(self) -> str:  # type: ignore[override]
        return f"on the second device: {self.held!r}"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # type: ignore[override]
        """Compute on what is held."""
        return _computed(func, args, kwargs or {})


class _Second(TorchDispatchMode):
    """Takes note of what is asked for on the second device."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Compute an operation that names the second device, or has tensors on it."""
        return _computed(func, args, kwargs or {})


def _computed(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    given = list(_tensors((args, kwargs)))
    second = [each for each in given if isinstance(each, SecondTensor)]
    asked = kwargs.get("device")
    stays = bool(second) if asked is None else torch.device(asked).type == SECOND.type
    name = func.name()
    if second and len(second) < len(given) and name not in _MAY_MIX:
        left = [each for each in given if not isinstance(each, SecondTensor) and each.ndim]
        if left:
            raise Misplaced(f"{name}: {len(second)} tensors on the second device, and one left on the processor")
    if name == "aten::_local_scalar_dense":
        stays = False
    if asked is not None and stays:
        kwargs = {**kwargs, "device": torch.device("cpu")}
    found = func(*tree_map(_held, args), **tree_map(_held, kwargs))
    if name.endswith("_") and args and isinstance(args[0], Tensor):
        return args[0]  # written in place
    return tree_map(_placed, found) if stays else found


def _tensors(part: Any) -> Iterator[Tensor]:
    if isinstance(part, Tensor):
        yield part
    elif isinstance(part, dict):
        for each in part.values():
            yield from _tensors(each)
    elif isinstance(part, list | tuple):
        for each in part:
            yield from _tensors(each)


def _held(part: Any) -> Any:
    return part.held if isinstance(part, SecondTensor) else part


def _placed(part: Any) -> Any:
    return SecondTensor(part) if isinstance(part, Tensor) and not isinstance(part, SecondTensor) else part


@contextlib.contextmanager
def second_device() -> Iterator[torch.device]:
    """Yield a device to put a network on; its numbers are the processor's, bit for bit."""
    with _Second():
        torch._C._set_only_lift_cpu_tensors(
            True
        )  # what is made of Python's lists goes there by a copy that is seen here
        try:
            yield SECOND
        finally:
            torch._C._set_only_lift_cpu_tensors(False)
