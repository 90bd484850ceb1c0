"""From uint8 observations to move probabilities, for any network that gives logits."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import inspect
import itertools
import os
from collections.abc import Callable, Iterator
from types import MethodType
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_pre_hook
from torch.overrides import TorchFunctionMode

from agents.networks.impala import OBS_SHAPE
from envs.actions import N_ACTIONS, action_to_move_matrix
from envs.errors import InputError, check_kind, one_line

BATCH = 256
_TO_MOVES = torch.from_numpy(action_to_move_matrix())
# The threads that torch computes with stay in the parent: a forked child that asks them for work waits for ever.
os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))


class Policy(Protocol):
    """A policy as evaluation asks for it.

    Example:
        >>> policy: Policy = as_policy(ImpalaPolicyNet(1), "mine")
        >>> policy.name, len(policy.sha256)
        ('mine', 64)
    """

    net: nn.Module
    """Network: ``float32[n, 3, 64, 64]`` in 0..1 to logits ``[n, 15]``, or to these and values ``[n]``."""
    name: str
    """Name in reports, captions and error lines."""
    sha256: str
    """64 hexadecimal digits that identify the weights; empty if not known."""


def check_policy(policy: object, where: str) -> None:
    """Raise :class:`InputError` for what is no :class:`Policy`, naming the remedy; ``where`` is the function called."""
    check_kind(isinstance(getattr(policy, "net", None), nn.Module), policy, "a policy", where)


def to_input(observations: np.ndarray, device: torch.device | None = None) -> Tensor:
    """Convert ``uint8[n, 64, 64, 3]`` frames to ``float32[n, 3, 64, 64]`` in 0..1, channels last, on ``device``."""
    if observations.dtype != np.uint8 or observations.ndim != 4 or observations.shape[1:] != (64, 64, 3):
        raise InputError(f"observations are {observations.dtype}{observations.shape}, expected uint8[n, 64, 64, 3]")
    frames = torch.from_numpy(np.ascontiguousarray(observations)).to(device).permute(0, 3, 1, 2)
    return frames.float().div_(255.0)


def device_of(net: nn.Module) -> torch.device:
    """Return where a network computes: where its first weights are; the processor for one that has none."""
    first = next(itertools.chain(net.parameters(), net.buffers()), None)
    return torch.device("cpu") if first is None else first.device


def in_layout(net: nn.Module, x: Tensor) -> Tensor:
    """Return ``x[n, 3, 64, 64]`` where ``net`` computes, channels last if its weights are, else as a plain copy.

    The networks of this package run faster on channels last; a network of another's may ask for
    a ``view`` that only the plain layout has, or write into what it is given.
    """
    x, last = x.to(device_of(net)), torch.channels_last
    for weight in net.parameters():
        if weight.ndim == 4 and weight.is_contiguous(memory_format=last) and not weight.is_contiguous():
            return x.contiguous(memory_format=last)
    return x.clone(memory_format=torch.contiguous_format)


def logits_and_values(output: object, n: int) -> tuple[Tensor, Tensor]:
    """Return a network's output for ``n`` frames as ``(logits[n, 15], values[n])``, values NaN if it gives none.

    Both are on the processor, wherever the network computes. It may give logits, or a tuple or list of logits and
    values (``[n]`` or ``[n, 1]``). Raises :class:`InputError` for anything else.
    """
    parts = list(output) if isinstance(output, tuple | list) else [output]
    if len(parts) not in (1, 2) or not isinstance(parts[0], Tensor):
        kinds = ", ".join(type(part).__name__ for part in parts[:4])
        raise InputError(f"the network gives ({kinds}), expected logits or (logits, values)")
    logits, values = parts[0], parts[1] if len(parts) == 2 else None
    if logits.shape != (n, N_ACTIONS) or not logits.is_floating_point():
        raise InputError(
            f"the network gives logits {tuple(logits.shape)} of {logits.dtype}, expected ({n}, {N_ACTIONS}) of floats"
        )
    if values is None:
        return logits.cpu(), torch.full((n,), torch.nan, dtype=torch.float32)
    if not isinstance(values, Tensor) or values.shape not in ((n,), (n, 1)):
        found = tuple(values.shape) if isinstance(values, Tensor) else type(values).__name__
        raise InputError(f"the network gives values {found}, expected ({n},) or ({n}, 1)")
    return logits.cpu(), values.reshape(n).cpu()


def move_probabilities(logits: Tensor) -> Tensor:
    """Map logits ``[n, 15]`` to probabilities of left, right, up, down, noop ``float64[n, 5]``.

    Raises:
        InputError: for logits that give none: numbers overflowed on the way to them.
    """
    found = torch.softmax(logits.double(), dim=-1) @ _TO_MOVES.double()
    if torch.isnan(found).any():
        raise InputError("the logits are not finite: an activation overflowed; take a smaller vector or coefficient")
    return found


def move_log_probabilities(logits: Tensor) -> Tensor:
    """Map logits ``[n, 15]`` to log-probabilities of the five moves ``[n, 5]`` (differentiable)."""
    masked = logits.unsqueeze(-1) + torch.log(_TO_MOVES.to(logits))
    return torch.logsumexp(masked, dim=-2) - torch.logsumexp(logits, dim=-1, keepdim=True)


class MazePolicy:
    """A trained network with its name and the hash of its file.

    ``predict`` follows stable-baselines3; randomness comes from the ``rng`` one passes.

    Args:
        net: maps ``float32[n, 3, 64, 64]`` in 0..1 to logits or (logits, values) (see :func:`logits_and_values`). It is
            put into eval mode without gradients; :func:`as_policy` leaves a network as it is and takes a copy.
        name: name in reports, captions and error lines.
        sha256: hash of its file, 64 hexadecimal digits; empty if not known.
        card: its model card (JSON values by name); None: empty.

    Example:
        >>> policy = MazePolicy(ImpalaPolicyNet(1), "mine")
        >>> policy.move_probabilities(Maze.from_level(26).observations()).shape
        (62, 5)
    """

    def __init__(self, net: nn.Module, name: str = "unnamed", sha256: str = "", card: dict[str, Any] | None = None):
        self.net = net.eval().requires_grad_(False)
        if getattr(type(net), "channels_last", False):
            net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.name = name
        self.sha256 = sha256
        self.card = card or {}

    def to(self, device: torch.device) -> MazePolicy:
        """Move the network to a device and return the policy; what is read of it is on the processor all the same."""
        self.net.to(device)
        return self

    def __repr__(self) -> str:
        count = sum(weight.numel() for weight in self.net.parameters())
        leaves = [name for name, module in self.net.named_modules() if not list(module.children())]
        of = f", sha256 {self.sha256[:12]}" if self.sha256 else ""
        told = f"{type(self.net).__name__} with {count:,} parameters"
        return f"MazePolicy {self.name!r}{of}: {told}, modules {leaves[0]} to {leaves[-1]} ({len(leaves)})"

    @torch.no_grad()
    def logits_and_values(self, observations: np.ndarray) -> tuple[Tensor, Tensor]:
        """Map ``uint8[n, 64, 64, 3]`` to logits ``float32[n, 15]`` and values ``float32[n]``."""
        frames = [in_layout(self.net, to_input(chunk)) for chunk in batches(observations)]
        outs = [logits_and_values(self.net(x), len(x)) for x in frames]
        return torch.cat([o[0] for o in outs]), torch.cat([o[1] for o in outs])

    def move_probabilities(self, observations: np.ndarray) -> np.ndarray:
        """Map ``uint8[n, 64, 64, 3]`` to probabilities of the five moves ``float64[n, 5]``."""
        return move_probabilities(self.logits_and_values(observations)[0]).numpy()

    def predict(
        self,
        observation: np.ndarray,
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = False,
        *,
        rng: np.random.Generator | None = None,
    ) -> tuple[np.ndarray, None]:
        """Return actions ``int64[n]`` for frames ``uint8[n, 64, 64, 3]``; sampling needs ``rng``."""
        logits, _ = self.logits_and_values(np.asarray(observation))
        if deterministic:
            return logits.argmax(dim=-1).numpy(), None
        if rng is None:
            raise InputError("predict: sampling needs an explicit rng=np.random.default_rng(seed)")
        return sample_rows(torch.softmax(logits.double(), -1).numpy(), rng.random(len(logits))), None


def batches(observations: np.ndarray, size: int = BATCH) -> list[np.ndarray]:
    """Split along the first axis into pieces of at most ``size``."""
    return [observations[i : i + size] for i in range(0, len(observations), size)]


def sample_rows(probabilities: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """Draw one index per row of ``float[n, k]`` by inverse transform of ``uniform`` in ``[0, 1)``."""
    cumulative = np.cumsum(probabilities, axis=1)
    cumulative[:, -1] = np.maximum(cumulative[:, -1], 1.0)
    return (uniform[:, None] >= cumulative).sum(axis=1)


class _Detached(TorchFunctionMode):
    """Copies of tensors that belong to a graph of gradients are tensors by themselves; torch refuses to copy these.

    Such are activations that a module keeps, and the weights that weight norm and pruning compute before each run.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: object, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call ``func``, but copy a tensor that is no leaf without its graph."""
        if func is Tensor.__deepcopy__ and not args[0].is_leaf:
            tensor, memo = args
            return memo.setdefault(id(tensor), tensor.detach().clone())
        return func(*args, **(kwargs or {}))


def _uncompiled(net: nn.Module) -> nn.Module:
    """Return the module that ``torch.compile`` has wrapped, or the module itself."""
    inner = getattr(net, "_orig_mod", None)
    return _uncompiled(inner) if isinstance(inner, nn.Module) else net


def _uncompiled_methods(copied: nn.Module, memo: dict[int, Any]) -> dict[str, MethodType]:
    """Return the methods that ``torch.compile`` has wrapped, uncompiled, of a module that was copied with ``memo``.

    Compiled functions are not copied, and those of an instance would run the module that they were compiled of.
    """
    found: dict[str, MethodType] = {}
    for name, value in [
        *(item for kind in type(copied).__mro__[::-1] for item in vars(kind).items()),
        *vars(copied).items(),
    ]:
        plain = value
        while (inner := getattr(plain, "_torchdynamo_orig_callable", None)) is not None:
            plain = inner
        if plain is value:
            continue
        plain = inspect.unwrap(plain)
        if isinstance(plain, MethodType):
            found[name] = copy.deepcopy(plain, memo)
        elif name not in vars(copied):
            found[name] = MethodType(plain, copied)
    return found


def _copied(net: nn.Module, kind: str) -> nn.Module:
    """Return a copy in float32 on the CPU, all of it uncompiled; ``kind`` names the network in error lines."""
    for key, value in itertools.chain(net.named_parameters(), net.named_buffers()):
        if nn.parameter.is_lazy(value):
            raise InputError(f"as_policy: {kind}: {key} is not initialized yet; run the network once on a frame first")
    if any(isinstance(module, torch.jit.ScriptModule) for module in net.modules()):
        raise InputError(
            f"as_policy: {kind} is scripted or traced, so nothing in it can be edited; give the module itself"
        )
    memo: dict[int, Any] = {}
    try:
        with _Detached():
            net = copy.deepcopy(net, memo)
            for module in list(net.modules()):
                vars(module).update(_uncompiled_methods(module, memo))
                for name, child in list(module._modules.items()):
                    if child is not None:
                        setattr(module, name, _uncompiled(child))
        return net.float().cpu()
    except Exception as error:  # the network's own code may run here
        raise InputError(f"as_policy: {kind} cannot be copied ({one_line(error)})") from None


class _OriginalRan(Exception):
    """A module of the original ran in place of its copy; the text is its name."""


@contextlib.contextmanager
def _without(net: nn.Module) -> Iterator[None]:
    """Raise :class:`_OriginalRan` as soon as a module of ``net`` runs."""
    names = {id(module): name or "itself" for name, module in net.named_modules()}

    def check(module: nn.Module, _: object) -> None:
        if id(module) in names:
            raise _OriginalRan(names[id(module)])

    handle = register_module_forward_pre_hook(check)
    try:
        yield
    finally:
        handle.remove()


@torch.no_grad()
def as_policy(net: nn.Module, name: str | None = None) -> MazePolicy:
    """Make a policy from any network of one's own, as it is now: a copy in float32 on the CPU, in eval mode.

    The network itself is neither run nor changed. What ``torch.compile`` has wrapped is unwrapped.

    Args:
        net: maps ``float32[n, 3, 64, 64]`` in 0..1 to logits ``[n, 15]`` or to (logits, values), each row a function
            of its frame alone. A stable-baselines3 policy is none of these: save its model and use ``load_policy``.
        name: name in reports; None: that of its class.

    Returns:
        The policy; its ``sha256`` is that of the class's name and the weights.

    Raises:
        InputError: other shapes, numbers that are not finite, weights that a lazy module has not made yet, code that
            was scripted, or logits that depend on chance, on earlier calls or on the other frames of the batch.

    Example:
        >>> as_policy(ImpalaPolicyNet(1), "mine").name
        'mine'
    """
    net = _uncompiled(net)
    kind = type(net).__name__
    if not isinstance(net, nn.Module):
        raise InputError(f"as_policy: found {kind}, expected a torch.nn.Module; load_policy reads names and files")
    policy = MazePolicy(_copied(net, kind), name or kind)
    noise = torch.rand(3, *OBS_SHAPE, dtype=torch.float32, generator=torch.Generator().manual_seed(0))
    x = in_layout(policy.net, noise)
    try:
        with _without(net):
            runs = [policy.net(part.clone()) for part in (x, x, *x.split(1))]
    except _OriginalRan as error:
        raise InputError(
            f"as_policy: {kind} keeps a function (a lambda, a compiled one) that runs its module {error}; a copy would "
            "still run the original's; make the function a method"
        ) from None
    except Exception as error:  # the network's own code runs here
        raise InputError(f"as_policy: {kind} does not take float32[n, 3, 64, 64] ({one_line(error)})") from None
    try:
        logits = [logits_and_values(run, n)[0] for run, n in zip(runs, (3, 3, 1, 1, 1), strict=True)]
    except InputError as error:
        raise InputError(f"as_policy: {kind}: {error}") from None
    if not torch.isfinite(logits[0]).all():
        raise InputError(f"as_policy: {kind} gives NaN or infinite logits")
    size = max(float(logits[0].abs().max()), 1.0)
    if max(float((other - logits[0]).abs().max()) for other in (logits[1], torch.cat(logits[2:]))) > 1e-3 * size:
        raise InputError(
            f"as_policy: {kind} gives one frame different logits: they depend on chance, on earlier calls or on the "
            "other frames of the batch"
        )
    digest = hashlib.sha256(f"{type(net).__module__}.{type(net).__qualname__}".encode())
    for key, value in policy.net.state_dict().items():
        if isinstance(value, Tensor):
            digest.update(f"{key} {value.dtype} {tuple(value.shape)}".encode())
            digest.update(value.contiguous().flatten().view(torch.uint8).numpy().tobytes())
    policy.sha256 = digest.hexdigest()
    return policy
