"""Forward hooks that read and edit activations at sites: the reference implementation.

Hooks are registered for one forward pass and removed in reverse order whatever happens; if one
registration fails, those already made are rolled back. Edits return new tensors; activations are
never changed in place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import torch
from torch import Tensor, nn

from agents.networks.policy import in_layout, logits_and_values
from envs.errors import InputError
from steering.interventions.graph import hooked
from steering.interventions.sites import INPUT, find_site

Edit = Callable[[Tensor], Tensor]
Edits = Mapping[str, Edit]


class HookedPolicy:
    """A network seen through hooks. The network itself is left as it was found.

    Args:
        net: maps ``float[n, 3, 64, 64]`` to logits ``[n, 15]`` or to (logits, values ``[n]``); need not be traceable.

    Example:
        >>> import torch
        >>> hooked = HookedPolicy(ImpalaPolicyNet(1))
        >>> logits, values, seen = hooked.run(torch.zeros(2, 3, 64, 64), capture=["embedder.fc"])
        >>> logits.shape, seen["embedder.fc"].shape
        (torch.Size([2, 15]), torch.Size([2, 256]))
    """

    def __init__(self, net: nn.Module) -> None:
        self.net = net

    @torch.no_grad()
    def run(
        self, x: Tensor, edits: Edits | None = None, capture: Iterable[str] = ()
    ) -> tuple[Tensor, Tensor, dict[str, Tensor]]:
        """Return the logits, the values and the captured activations of a batch.

        Args:
            x: frames, ``float[n, 3, 64, 64]``, 0 to 1.
            edits: functions ``[n, *site] -> [n, *site]`` by the name of their site.
            capture: names of the sites whose activations are wanted.

        Returns:
            Logits ``[n, 15]``; values ``[n]``, NaN from a network that gives none; activations ``[n, *site]`` by full
            name, after the edits. All are on the processor, wherever the network computes; edits are made there.

        Raises:
            InputError: for an unknown site, an edit that changes the shape, or a site that does not run exactly once
                for these frames.
        """
        edits = by_full_name(edits or {}, lambda name: _module_name(self.net, name))
        wanted = [_module_name(self.net, name) for name in capture]
        names = dict.fromkeys([*edits, *wanted])
        seen: dict[str, Tensor] = {}
        runs = dict.fromkeys(names, 0)

        def visit(name: str, value: Tensor) -> Tensor | None:
            runs[name] += 1
            if not isinstance(value, Tensor):
                raise InputError(f"site {name}: its module gives a {type(value).__name__}, expected a tensor")
            edit = edits.get(name)
            if edit is not None:
                value = checked_edit(name, edit, value)
            if name in wanted:
                seen[name] = value.detach().to("cpu", copy=True)
            return value if edit is not None else None

        x = in_layout(self.net, x)
        if INPUT in names:
            edited = visit(INPUT, x)
            x = x if edited is None else edited
        with hooked(self.net, [n for n in names if n != INPUT], visit):
            logits, values = logits_and_values(self.net(x), len(x))
        for name, count in runs.items():
            if count != 1:
                raise InputError(f"site {name}: its module ran {count} times for these frames, expected once")
        return logits, values, {name: seen[name] for name in wanted}


def by_full_name(edits: Edits, full_name: Callable[[str], str]) -> dict[str, Edit]:
    """Return edits by the full name of their site; those of one site, under whatever names, one after the other."""
    found: dict[str, list[Edit]] = {}
    for name, edit in edits.items():
        found.setdefault(full_name(name), []).append(edit)
    return {name: chained(tuple(parts)) for name, parts in found.items()}


def chained(edits: tuple[Edit, ...]) -> Edit:
    """Return one edit that does all, in order."""

    def apply(activation: Tensor) -> Tensor:
        for edit in edits:
            activation = edit(activation)
        return activation

    return apply


def _module_name(net: nn.Module, name: str) -> str:
    """Return the site's full name; the name of any module is one here."""
    if name and name in dict(net.named_modules()):
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
