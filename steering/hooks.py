"""Forward hooks that read and edit activations at sites: the reference implementation.

Hooks are registered for one forward pass and removed in reverse order whatever happens; if one
registration fails, those already made are rolled back. Edits return new tensors; activations are
never changed in place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from envs.errors import InputError
from steering.sites import INPUT, find_site

Edit = Callable[[Tensor], Tensor]
Edits = Mapping[str, Edit]


class HookedPolicy:
    """A network seen through hooks. The network itself is left as it was found.

    ``net`` maps ``float[n, 3, 64, 64]`` to ``(logits[n, 15], values[n])``.
    """

    def __init__(self, net: nn.Module) -> None:
        self.net = net

    @torch.no_grad()
    def run(
        self, x: Tensor, edits: Edits | None = None, capture: Iterable[str] = ()
    ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Logits, values and the captured activations ``{site: [n, ...]}`` (after the edit).

        Raises :class:`InputError` for an unknown site or an edit that changes the shape.
        """
        edits = {_module_name(self.net, name): edit for name, edit in (edits or {}).items()}
        wanted = [_module_name(self.net, name) for name in capture]
        seen: dict[str, Tensor] = {}

        def visit(name: str, value: Tensor) -> Tensor | None:
            edit = edits.get(name)
            if edit is not None:
                value = checked_edit(name, edit, value)
            if name in wanted:
                seen[name] = value.detach().clone()
            return value if edit is not None else None

        if INPUT in edits or INPUT in wanted:
            edited = visit(INPUT, x)
            x = x if edited is None else edited
        names = dict.fromkeys([*edits, *wanted])
        with hooked(self.net, [n for n in names if n != INPUT], visit):
            logits, values = self.net(x)
        return logits, values, {name: seen[name] for name in wanted}


def _module_name(net: nn.Module, name: str) -> str:
    """The site's full name; for a network that cannot be traced, the name of any module."""
    if name in dict(net.named_modules()):
        return name
    return find_site(net, name).name


def checked_edit(name: str, edit: Edit, value: Tensor) -> Tensor:
    """Apply ``edit``; raises :class:`InputError` if the result does not fit the site."""
    try:
        result = edit(value)
    except RuntimeError as error:
        raise InputError(f"site {name}: the edit does not fit activations {tuple(value.shape[1:])} ({error})") from None
    if result.shape != value.shape:
        raise InputError(f"site {name}: the edit gives {tuple(result.shape)}, expected {tuple(value.shape)}")
    return result


@contextmanager
def hooked(net: nn.Module, names: Iterable[str], visit: Callable[[str, Tensor], Tensor | None]) -> Iterator[None]:
    """Call ``visit(name, output)`` after each named module; a tensor it returns replaces the output.

    All hooks are registered or none, and all are removed on exit, in reverse order.
    """
    handles: list[RemovableHandle] = []
    try:
        for name in names:
            module = net.get_submodule(name)

            def hook(_module: nn.Module, _inputs: Any, output: Tensor, name: str = name) -> Tensor | None:
                return visit(name, output)

            handles.append(module.register_forward_hook(hook))
        yield
    finally:
        for handle in reversed(handles):
            handle.remove()
