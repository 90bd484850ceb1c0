"""Sites: the places in a network where activations are read and edited.

A site is the input, or the output of a module that runs once, on a path from the input to the logits. Sites are
listed in topological order of the traced graph, so the index is a depth. All properties are derived from that graph:

* trunk: every path from the input to the logits passes through the site (a dominator of the
  logits). A vector subtracted inside a residual branch leaves the skip path untouched.
* affine: everything from the input to the site is affine in the pixels; subtraction there is
  subtraction in the picture, so it works for free.
* equivalence class: before an affine operation whose only input the site is (and its only reader), subtracting a
  difference of activations is the same as subtracting the next site's after it. One experiment, several names.
* receptive field: side in input pixels of the square that a unit sees; None once it is the image, or not known.

A network without a graph (``torch.fx`` cannot trace it: control flow that depends on data) has as sites the leaf
modules in the order in which they ran on a blank frame. Of these only what cannot be wrong is said: the input, and the
module whose output the logits are, are trunk; for all others it is not known, and no two count as equivalent.
"""

from __future__ import annotations

import math
import weakref
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import networkx
import torch
from torch import Tensor, fx, nn

from agents.networks.impala import OBS_SHAPE
from agents.networks.policy import logits_and_values
from envs.errors import InputError, check_kind, nearest
from envs.shown.displays import html_table, text_table
from steering.interventions.graph import (
    ReceptiveField,
    data_inputs,
    hooked,
    in_eval_mode,
    is_affine,
    leaf_names,
    receptive_field,
    trace,
    trial_frames,
)

SITE_HEADINGS = ("depth", "site", "shape", "where", "affine", "sees", "same as")
INPUT = "input"
LOGITS = "logits"
_ALIASES = {"pixels": INPUT}


@dataclass(frozen=True)
class Site:
    """One site: a place where activations are read and edited.

    Example:
        >>> find_site(ImpalaPolicyNet(1), "block1.conv").affine
        True
    """

    name: str
    """Name of the module whose output it is; ``input`` for the picture."""
    depth: int
    """Number of sites before it in topological order; 0 is the input."""
    shape: tuple[int, ...]
    """Shape of its activations without the batch axis."""
    trunk: bool | None
    """Whether every path from the input to the logits passes through it; null: not known."""
    affine: bool | None
    """Whether the network is affine in the pixels up to it; null: not known."""
    equivalence_class: str
    """Name of the first site at which subtraction is the same experiment; its own if there is none before it."""
    receptive_field: int | None
    """Side of the square that one unit sees, in input pixels (1 or more); null: the whole picture, or not known."""
    feeds_value: bool
    """Whether the value head depends on it."""
    units: tuple[float, int] | None = None
    """Centre of the first unit of its map and distance between units, in input pixels, alike for rows and columns;
    null: it is no map, or that is not known."""

    @property
    def size(self) -> int:
        """Return the number of activations of one frame."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class _Listing:
    """The sites of one network."""

    sites: tuple[Site, ...]
    """All sites, in depth order."""
    logits: str | None
    """Name of the site that is the logits; None: no module gives them."""
    before: Mapping[str, str | None] = field(default_factory=dict)
    """Name of the site whose edit is an edit of what goes into a module, by ``MODULE_in0``, ``MODULE_in1``, ...; None:
    others read it too, or no module gives it."""


_LISTINGS: weakref.WeakKeyDictionary[nn.Module, _Listing] = weakref.WeakKeyDictionary()


class SiteTable(tuple[Site, ...]):
    """Sites in depth order, shown as a table."""

    def rows(self) -> list[list[str]]:
        """Return a row of texts for each site, under :data:`SITE_HEADINGS`; the last is the depth of the same site."""
        depths = {site.name: site.depth for site in self}
        return [
            [
                str(site.depth),
                site.name,
                "x".join(map(str, site.shape)),
                {True: "trunk", False: "branch", None: "?"}[site.trunk],
                {True: "free", False: "", None: "?"}[site.affine],
                f"{site.receptive_field} px" if site.receptive_field else "all",
                str(depths.get(site.equivalence_class, "")) if site.equivalence_class != site.name else "",
            ]
            for site in self
        ]

    def __repr__(self) -> str:
        return text_table(SITE_HEADINGS, self.rows(), left=len(SITE_HEADINGS))

    def _repr_html_(self) -> str:
        return html_table(SITE_HEADINGS, self.rows(), left=len(SITE_HEADINGS))


def enumerate_sites(net: nn.Module) -> SiteTable:
    """Return all sites of a network in eval mode, the input first.

    Args:
        net: maps ``float[n, 3, 64, 64]`` to logits ``[n, 15]`` or to (logits, values ``[n]``).

    Returns:
        The sites in topological order, or in the order they run where the network has no graph.

    Raises:
        InputError: for a network that gives anything else for blank frames.

    Example:
        >>> len(enumerate_sites(ImpalaPolicyNet(1)))
        42
    """
    return SiteTable(_listing(net).sites)


def _listing(net: nn.Module) -> _Listing:
    check_kind(isinstance(net, nn.Module), net, "a network", "sites")
    if net not in _LISTINGS:
        with in_eval_mode(net), torch.no_grad():
            _LISTINGS[net] = _enumerate(net)
    return _LISTINGS[net]


def _enumerate(net: nn.Module) -> _Listing:
    by_hooks = _run_order(net)
    try:
        graph = trace(net).graph
    except InputError:
        return by_hooks
    return _from_graph(net, graph)


def _from_graph(net: nn.Module, graph: fx.Graph) -> _Listing:
    modules = dict(net.named_modules())
    logits, value = _outputs(graph)
    data = data_inputs(graph)
    source = next(iter(data))
    if logits not in data:
        raise InputError(f"{type(net).__name__}: its logits do not depend on the picture; nothing can be steered")
    digraph = networkx.DiGraph((a, b) for b, inputs in data.items() for a in inputs)
    digraph.add_node(source)
    dominators = networkx.immediate_dominators(digraph, source)
    trunk = [logits]
    while trunk[-1] is not source:
        trunk.append(dominators[trunk[-1]])
    relevant = networkx.ancestors(digraph, logits) | {logits}
    valued = networkx.ancestors(digraph, value) | {value} if value in data else set()
    shapes = _shapes(net, graph)
    calls = Counter(node.target for node in graph.nodes if node.op == "call_module")
    affine: dict[fx.Node, bool] = {}
    fields: dict[fx.Node, ReceptiveField] = {}
    classes: dict[fx.Node, str | None] = {}
    sites: list[Site] = []
    for node, inputs in data.items():
        module = modules[str(node.target)] if node.op == "call_module" else None
        if node is source:
            own, affine[node], fields[node], classes[node] = True, True, (1, 1, 0.0), INPUT
        else:
            own = is_affine(node, module, inputs)
            affine[node] = own and all(affine[i] for i in inputs)
            fields[node] = receptive_field(node, module, [fields[i] for i in inputs])
        is_site = node is source or (module is not None and calls[node.target] == 1)
        is_site = is_site and node in relevant and node in shapes
        name = INPUT if node is source else str(node.target)
        if node is not source:
            readers = [u for u in inputs[0].users if u in relevant]
            shares = own and len(inputs) == 1 and readers == [node] and classes[inputs[0]] is not None
            classes[node] = classes[inputs[0]] if shares else name if is_site else None
        if not is_site:
            continue
        side, jump, start = fields[node]
        sites.append(
            Site(
                name=name,
                depth=len(sites),
                shape=shapes[node],
                trunk=node in trunk,
                affine=affine[node],
                equivalence_class=classes[node] or name,
                receptive_field=side if side is not None and side < OBS_SHAPE[1] * 2 else None,
                feeds_value=node in valued,
                units=(start, jump) if start is not None and len(shapes[node]) == 3 else None,
            )
        )
    named = {site.name for site in sites}
    end = str(logits.target) if logits.op == "call_module" and logits.target in named else None
    return _Listing(tuple(sites), INPUT if logits is source else end, _before(data, source, relevant, named))


def _before(
    data: Mapping[fx.Node, list[fx.Node]], source: fx.Node, relevant: set[fx.Node], named: set[str]
) -> dict[str, str | None]:
    """Return ``_Listing.before`` of the sites ``named``."""
    before: dict[str, str | None] = {}
    for node, inputs in data.items():
        if node.op != "call_module" or str(node.target) not in named:
            continue
        for number, read in enumerate(inputs):
            name = INPUT if read is source else str(read.target) if read.op == "call_module" else ""
            only = [user for user in read.users if user in relevant] == [node]
            before[f"{node.target}_in{number}"] = name if only and name in named else None
    return before


def _outputs(graph: fx.Graph) -> tuple[fx.Node, Any]:
    """Return the nodes of logits and values (values: None where there are none)."""
    (found,) = next(n for n in graph.nodes if n.op == "output").args
    if isinstance(found, fx.Node):
        return found, None
    assert isinstance(found, tuple | list) and isinstance(found[0], fx.Node)
    return found[0], found[1] if len(found) > 1 else None


def _shapes(net: nn.Module, graph: fx.Graph) -> dict[fx.Node, tuple[int, ...]]:
    """Return the shapes, without the batch axis, of the nodes that are a tensor with one."""
    shapes: dict[fx.Node, tuple[int, ...]] = {}

    class Recorder(fx.Interpreter):
        def run_node(self, n: fx.Node) -> object:
            value = super().run_node(n)
            if _is_batch(value):
                shapes[n] = tuple(value.shape[1:])
            return value

    Recorder(net, graph=graph).run(trial_frames(net))
    return shapes


def _is_batch(value: Any, n: int = 2) -> bool:
    return isinstance(value, Tensor) and value.ndim > 0 and len(value) == n


@torch.inference_mode(False)  # within it tensors do not count what is written into them
def _run_order(net: nn.Module) -> _Listing:
    """Return the sites of a network without a graph: leaf modules that ran once on blank frames, in that order."""
    ran: list[tuple[str, Any, int]] = []

    def visit(name: str, output: Any) -> None:
        ran.append((name, output, output._version if isinstance(output, Tensor) else 0))

    x = trial_frames(net)
    with hooked(net, leaf_names(net), visit):
        output = net(x)
    logits_and_values(output, len(x))
    logits = output[0] if isinstance(output, tuple | list) else output
    has_value = isinstance(output, tuple | list) and len(output) > 1
    calls = Counter(name for name, _, _ in ran)
    # The module that made the very tensor that is returned, with nothing written into it since.
    made = (name for name, value, version in ran if value is logits and value._version == version)
    end = next((name for name in made if calls[name] == 1), None)
    sites = [Site(INPUT, 0, OBS_SHAPE, True, True, INPUT, 1, has_value)]
    for name, value, _ in ran:
        if calls[name] == 1 and _is_batch(value):
            shape = tuple(value.shape[1:])
            sites.append(Site(name, len(sites), shape, name == end or None, None, name, None, has_value))
    return _Listing(tuple(sites), end)


def find_site(net: nn.Module, name: str) -> Site:
    """Return the site of a network by name.

    Args:
        net: the network.
        name: full name, with or without ``embedder.``; ``logits``; or a published tool's name ending in ``_out``, or
            in ``_in0``: the site before that module, where nothing else reads it.

    Returns:
        One of :func:`enumerate_sites`.

    Raises:
        InputError: that names the nearest three sites.

    Example:
        >>> find_site(ImpalaPolicyNet(1), "block2.res1.resadd").shape
        (32, 16, 16)
    """
    listing = _listing(net)
    sites = {site.name: site for site in listing.sites}
    wanted = (listing.logits or name) if name == LOGITS and name not in sites else _ALIASES.get(name, name)
    plain = wanted.removesuffix("_out")
    for candidate in (wanted, plain, f"embedder.{wanted}", f"embedder.{plain}"):
        if candidate in sites:
            return sites[candidate]
        if candidate in listing.before:
            before = listing.before[candidate]
            if before is None:
                raise InputError(f"{name!r} is not a site: what goes into that module goes elsewhere too; name a site")
            return sites[before]
    if name in dict(net.named_modules()):
        raise InputError(
            f"{name!r} is not a site: a site's module runs once, between input and logits, and holds no other site"
        )
    raise InputError(f"no site {name[:80]!r} in this network; {nearest(name, sites, most=3)}")


def select_sites(spec: str, net: nn.Module) -> list[Site]:
    """Return the sites that ``spec`` asks for, each once, in depth order.

    Args:
        spec: ``trunk`` (those known to be), ``all``, or names separated by commas.
        net: the network.

    Returns:
        Some of :func:`enumerate_sites`.

    Raises:
        InputError: for a name that no site has, or no name.
    """
    sites = enumerate_sites(net)
    if spec == "trunk":
        return [site for site in sites if site.trunk]
    if spec == "all":
        return list(sites)
    if not (names := [name.strip() for name in spec.split(",") if name.strip()]):
        raise InputError("no sites given; use trunk, all or a comma-separated list (see `mazesteer sites`)")
    return sorted({find_site(net, name) for name in names}, key=lambda site: site.depth)
