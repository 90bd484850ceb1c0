"""Sites: the places in a network where activations are read and edited.

A site is the input, or the output of a module, on a path from the input to the logits. Sites are
listed in topological order of the traced graph, so the index is a depth. All properties are
derived from the graph of the network at hand:

* trunk: every path from the input to the logits passes through the site (a dominator of the
  logits). A vector subtracted inside a residual branch leaves the skip path untouched.
* affine: everything from the input to the site is affine in the pixels; subtraction there is
  subtraction in the picture, so it works for free.
* equivalence class: before an affine operation whose only input the site is (and which is its
  only reader), subtracting a difference of activations is the same as subtracting the next
  site's difference after it. One experiment, several names.
* receptive field: side in input pixels of the square that a unit sees; None once it is the image.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass

import networkx
import torch
from torch import fx, nn

from agents.impala import OBS_SHAPE
from envs.errors import InputError, nearest

INPUT = "input"
ALIASES = {"logits": "fc_policy", "pixels": INPUT}
PUBLISHED_SITE = "embedder.block2.res1.resadd"
_AFFINE = (nn.Conv2d, nn.Linear, nn.Flatten, nn.Identity, nn.AvgPool2d)


@dataclass(frozen=True)
class Site:
    """One site. ``shape`` leaves out the batch axis; ``equivalence_class`` is the name of the
    class's first member; ``depth`` counts sites from the input (0)."""

    name: str
    depth: int
    shape: tuple[int, ...]
    trunk: bool
    affine: bool
    equivalence_class: str
    receptive_field: int | None
    feeds_value: bool

    @property
    def size(self) -> int:
        """Number of activations."""
        size = 1
        for side in self.shape:
            size *= side
        return size


class _LeafTracer(fx.Tracer):
    """Treat every module without children as one operation, our residual sums included."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return not list(m.children())


def trace(net: nn.Module) -> fx.GraphModule:
    """The network as a graph whose nodes are its leaf modules (parameters are shared).

    Raises :class:`InputError` if ``torch.fx`` cannot trace it (control flow that depends on data).
    """
    try:
        return fx.GraphModule(net, _LeafTracer().trace(net))
    except Exception as error:
        raise InputError(f"{type(net).__name__} cannot be traced ({error}); sites need a traceable network") from None


_SITES: weakref.WeakKeyDictionary[nn.Module, tuple[Site, ...]] = weakref.WeakKeyDictionary()


def enumerate_sites(net: nn.Module) -> tuple[Site, ...]:
    """All sites of ``net`` in topological order: ``(logits, values)`` must be its outputs."""
    if net not in _SITES:
        _SITES[net] = _enumerate(net)
    return _SITES[net]


def _enumerate(net: nn.Module) -> tuple[Site, ...]:
    graph = trace(net).graph
    modules = dict(net.named_modules())
    output = next(n for n in graph.nodes if n.op == "output")
    logits, value = _outputs(output)
    digraph = networkx.DiGraph((a, b) for b in graph.nodes for a in b.all_input_nodes)
    source = next(n for n in graph.nodes if n.op == "placeholder")
    dominators = networkx.immediate_dominators(digraph, source)
    trunk = [logits]
    while trunk[-1] is not source:
        trunk.append(dominators[trunk[-1]])
    relevant = networkx.ancestors(digraph, logits) | {logits}
    shapes = _shapes(net, graph)
    affine: dict[fx.Node, bool] = {}
    fields: dict[fx.Node, tuple[int | None, int]] = {}
    classes: dict[fx.Node, str] = {}
    sites: list[Site] = []
    for node in graph.nodes:
        if node.op == "output":
            continue
        module = modules.get(node.target) if node.op == "call_module" else None
        inputs = node.all_input_nodes
        affine[node] = node is source or (_is_affine(node, module) and all(affine[i] for i in inputs))
        fields[node] = (1, 1) if node is source else _receptive_field(module, [fields[i] for i in inputs])
        if node not in relevant or (node is not source and module is None):
            continue
        name = INPUT if node is source else str(node.target)
        readers = [u for u in inputs[0].users if u in relevant] if inputs else []
        shares = len(inputs) == 1 and _is_affine(node, module) and readers == [node] and inputs[0] in classes
        classes[node] = classes[inputs[0]] if shares else name
        side = fields[node][0]
        sites.append(
            Site(
                name=name,
                depth=len(sites),
                shape=shapes[node],
                trunk=node in trunk,
                affine=affine[node],
                equivalence_class=classes[node],
                receptive_field=side if side is not None and side < OBS_SHAPE[1] * 2 else None,
                feeds_value=value is not None and value in networkx.descendants(digraph, node) | {node},
            )
        )
    return tuple(sites)


def _outputs(output: fx.Node) -> tuple[fx.Node, fx.Node | None]:
    found = output.args[0]
    if isinstance(found, fx.Node):
        return found, None
    assert isinstance(found, tuple) and isinstance(found[0], fx.Node)
    return found[0], found[1] if len(found) > 1 and isinstance(found[1], fx.Node) else None


def _is_affine(node: fx.Node, module: nn.Module | None) -> bool:
    if isinstance(module, nn.BatchNorm2d):
        return not module.training
    return isinstance(module, _AFFINE) or type(module).__name__ == "ResAdd"


def _receptive_field(module: nn.Module | None, inputs: list[tuple[int | None, int]]) -> tuple[int | None, int]:
    """(side, distance between neighbouring units) in input pixels; side None: the whole image."""
    sides = [side for side, _ in inputs]
    jump = max(jump for _, jump in inputs)
    if any(side is None for side in sides) or isinstance(module, nn.Linear):
        return None, jump
    side = max(side for side in sides if side is not None)
    if isinstance(module, nn.Conv2d | nn.MaxPool2d | nn.AvgPool2d):
        kernel = module.kernel_size if isinstance(module.kernel_size, int) else int(module.kernel_size[0])
        stride = module.stride if isinstance(module.stride, int) else int(module.stride[0])
        return side + (kernel - 1) * jump, jump * stride
    return side, jump


@torch.no_grad()
def _shapes(net: nn.Module, graph: fx.Graph) -> dict[fx.Node, tuple[int, ...]]:
    shapes: dict[fx.Node, tuple[int, ...]] = {}

    class Recorder(fx.Interpreter):
        def run_node(self, n: fx.Node) -> object:
            value = super().run_node(n)
            if isinstance(value, torch.Tensor):
                shapes[n] = tuple(value.shape[1:])
            return value

    Recorder(net, graph=graph).run(torch.zeros(1, *OBS_SHAPE))
    return shapes


def find_site(net: nn.Module, name: str) -> Site:
    """The site called ``name`` (also ``logits``, or a published tool's name ending in ``_out``).

    Raises :class:`InputError` that names the nearest site.
    """
    sites = {site.name: site for site in enumerate_sites(net)}
    wanted = ALIASES.get(name, name)
    for candidate in (
        wanted,
        wanted.removesuffix("_out"),
        f"embedder.{wanted}",
        f"embedder.{wanted.removesuffix('_out')}",
    ):
        if candidate in sites:
            return sites[candidate]
    raise InputError(f"no site {name!r} in this network; {nearest(name, sites)}")


def select_sites(spec: str, net: nn.Module) -> list[Site]:
    """Sites for ``trunk``, ``all`` or a comma-separated list of names, in depth order."""
    sites = enumerate_sites(net)
    if spec == "trunk":
        return [site for site in sites if site.trunk]
    if spec == "all":
        return list(sites)
    names = [name.strip() for name in spec.split(",") if name.strip()]
    if not names:
        raise InputError("no sites given; use trunk, all or a comma-separated list (see `mazesteer sites`)")
    return sorted({find_site(net, name) for name in names}, key=lambda site: site.depth)
