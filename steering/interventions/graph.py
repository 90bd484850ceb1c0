"""A network seen from outside: hooks on its modules, its traced graph, what single operations do.

Whatever is not known to be affine, pointwise or local counts as none of these.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, fx, nn
from torch.nn import functional
from torch.utils.hooks import RemovableHandle

from agents.networks.impala import OBS_SHAPE, ResAdd
from agents.networks.policy import in_layout, logits_and_values
from envs.errors import InputError, one_line

# Side of the square that a unit sees (None: all, or unknown); distance between units; centre of the first unit's
# square (None: unknown): in input pixels, the first pixel's centre at 0.
ReceptiveField = tuple[int | None, int, float | None]

_AFFINE = {
    *(nn.Conv2d, nn.ConvTranspose2d, nn.Linear, nn.Flatten, nn.Unflatten, nn.Identity, nn.ZeroPad2d, ResAdd),
    *(nn.AvgPool2d, nn.AdaptiveAvgPool2d),
}
_IDENTITY_IN_EVAL = {nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout}
_POINTWISE = {
    *(nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.PReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Mish, nn.Softplus, nn.Tanh, nn.Sigmoid),
    *(nn.Hardtanh, nn.Hardswish, nn.Identity, nn.Flatten, nn.BatchNorm2d, ResAdd, *_IDENTITY_IN_EVAL),
}
_SUMS: set[Any] = {operator.add, operator.sub, operator.iadd, operator.isub, torch.add, torch.sub}
_PRODUCTS: set[Any] = {operator.mul, operator.imul, torch.mul}
_QUOTIENTS: set[Any] = {operator.truediv, operator.itruediv, torch.div}
_FLATTENS: set[Any] = {torch.flatten, "flatten", "contiguous"}
_RESHAPES: set[Any] = {torch.reshape, "view", "reshape", *_FLATTENS}
_NONLINEAR: set[Any] = {torch.relu, functional.relu, torch.tanh, torch.sigmoid, functional.elu, "relu", "tanh"}
_POINTWISE_FUNCTIONS = _SUMS | _PRODUCTS | _QUOTIENTS | _FLATTENS | _NONLINEAR
_LOCAL = {nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d}
_FACTS: set[Any] = {"size", "dim", "numel", "shape", "dtype", "device", "ndim"}


@contextmanager
def hooked(net: nn.Module, names: Iterable[str], visit: Callable[[str, Any], Tensor | None]) -> Iterator[None]:
    """Call ``visit(name, output)`` after each named module; a tensor it returns replaces the output.

    All hooks are registered or none, and all are removed on exit, in reverse order.
    """
    handles: list[RemovableHandle] = []
    try:
        for name in names:
            module = net.get_submodule(name)

            def hook(_module: nn.Module, _inputs: Any, output: Any, name: str = name) -> Tensor | None:
                return visit(name, output)

            handles.append(module.register_forward_hook(hook))
        yield
    finally:
        for handle in reversed(handles):
            handle.remove()


@contextmanager
def in_eval_mode(net: nn.Module) -> Iterator[None]:
    """Yield the network in eval mode; afterwards every module is in the mode it was in."""
    training = [module for module in net.modules() if module.training]
    net.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


def trial_frames(net: nn.Module, *, noise: bool = False) -> Tensor:
    """Return two frames ``float[2, 3, 64, 64]`` to try a network on: blank, or noise in 0..1."""
    x = torch.zeros(2, *OBS_SHAPE, dtype=torch.float32, device="cpu")
    if noise:
        x.uniform_(generator=torch.Generator().manual_seed(0))
    return in_layout(net, x)


class _LeafTracer(fx.Tracer):
    """Treat torch's own modules and every module without children as one operation."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return not list(m.children()) or super().is_leaf_module(m, module_qualified_name)


def leaf_names(net: nn.Module) -> list[str]:
    """Return the names of the modules that count as one operation, in the order of ``named_modules``."""
    tracer = _LeafTracer()
    leaves: list[str] = []
    for name, module in net.named_modules():
        inside = any(name.startswith(f"{leaf}.") for leaf in leaves)
        if name and not inside and tracer.is_leaf_module(module, name):
            leaves.append(name)
    return leaves


@torch.no_grad()
def trace(net: nn.Module) -> fx.GraphModule:
    """Return the network in eval mode as a graph whose nodes are its leaf modules (parameters are shared).

    Raises:
        InputError: if ``torch.fx`` cannot trace it (control flow that depends on data, further arguments) or if the
            graph does not give the network's own logits on noise.
    """
    kind = type(net).__name__
    with in_eval_mode(net):
        try:
            traced = fx.GraphModule(net, _LeafTracer().trace(net))
            same = sum(node.op == "placeholder" for node in traced.graph.nodes) == 1
            if same:
                graphed = logits_and_values(traced(trial_frames(net, noise=True)), 2)
                own = logits_and_values(net(trial_frames(net, noise=True)), 2)
                same = all(torch.equal(a.nan_to_num(), b.nan_to_num()) for a, b in zip(graphed, own, strict=True))
        except Exception as error:  # the network's own code runs here; whatever it raises, it is not traceable
            raise InputError(f"{kind} cannot be traced ({one_line(error)}); use HookedPolicy") from None
    if not same:
        raise InputError(f"{kind} cannot be traced (its graph leaves out some of what it does); use HookedPolicy")
    return traced


def data_inputs(graph: fx.Graph) -> dict[fx.Node, list[fx.Node]]:
    """Return, for each node that depends on what is in the picture, the nodes that it has this from.

    Parameters are constants, and shapes carry nothing of the picture.
    """
    found: dict[fx.Node, list[fx.Node]] = {}
    for node in graph.nodes:
        inputs = [i for i in node.all_input_nodes if i in found]
        fact = (node.op == "call_method" and node.target in _FACTS) or (
            node.target is getattr and node.args[1] in _FACTS
        )
        if node.op == "placeholder" or (inputs and not fact):
            found[node] = inputs
    return found


def is_affine(node: fx.Node, module: nn.Module | None, inputs: Sequence[fx.Node]) -> bool:
    """Return whether the operation is affine in ``inputs`` together, in eval mode."""
    if module is not None:
        if type(module) is nn.BatchNorm2d:
            return module.running_mean is not None
        empty = type(module) is nn.Sequential and len(module) == 0
        return type(module) in _AFFINE | _IDENTITY_IN_EVAL or empty
    once = sum(argument in inputs for argument in node.args if isinstance(argument, fx.Node)) == 1
    if node.target in _SUMS:
        return True
    if node.target in _PRODUCTS or node.target in _QUOTIENTS:
        return once and (node.target in _PRODUCTS or node.args[0] in inputs) and not node.kwargs
    return node.target in _RESHAPES


def keeps_channels(node: fx.Node, module: nn.Module | None) -> bool:
    """Return whether each channel that an operation gives comes of that channel alone, in the same order.

    So it is for sums too, channel by channel. A scale of its own for each channel counts as none of these.
    """
    if module is not None:
        pool = type(module) in {nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveAvgPool2d}
        empty = type(module) is nn.Sequential and len(module) == 0
        return pool or empty or type(module) in _POINTWISE - {nn.BatchNorm2d, nn.PReLU}
    if node.target in _PRODUCTS | _QUOTIENTS:
        return any(isinstance(argument, int | float) for argument in node.args[1:]) or (
            node.target in _PRODUCTS and isinstance(node.args[0], int | float)
        )
    return node.target in _SUMS | _FLATTENS | _NONLINEAR


def receptive_field(node: fx.Node, module: nn.Module | None, inputs: Sequence[ReceptiveField]) -> ReceptiveField:
    """Return the receptive field after the operation, in input pixels, from those of its inputs."""
    jumps, starts = {jump for _, jump, _ in inputs}, {start for _, _, start in inputs}
    jump, start = max(jumps), starts.pop() if len(starts) == 1 else None
    side = None if any(s is None for s, _, _ in inputs) else max(s for s, _, _ in inputs if s is not None)
    if side is None or len(jumps) > 1:
        return None, jump, None
    if type(module) in _LOCAL:
        assert isinstance(module, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d)
        if getattr(module, "padding_mode", "zeros") == "circular":
            return None, jump, None
        sizes, gaps = _pair(module.kernel_size), _pair(getattr(module, "dilation", 1))
        reach = max((size - 1) * gap for size, gap in zip(sizes, gaps, strict=True))
        return side + reach * jump, jump * max(_pair(module.stride)), _start(module, jump, start)
    if module is not None:
        pointwise = type(module) in _POINTWISE or (type(module) is nn.Sequential and len(module) == 0)
    else:
        pointwise = node.target in _POINTWISE_FUNCTIONS
    return (side, jump, start) if pointwise else (None, jump, None)


def _start(module: nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d, jump: int, start: float | None) -> float | None:
    """Return the centre of the first unit's square; None where rows and columns differ, or that is not known."""
    if isinstance(module.padding, str) or start is None:
        return None
    sizes, gaps, pads = _pair(module.kernel_size), _pair(getattr(module, "dilation", 1)), _pair(module.padding)
    steps = _pair(module.stride)
    moved = {(size - 1) * gap / 2 - pad for size, gap, pad in zip(sizes, gaps, pads, strict=True)}
    return start + moved.pop() * jump if len(moved) == 1 and steps[0] == steps[1] else None


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (int(value[0]), int(value[1]))
