"""Partial re-execution: run only what lies downstream of an edited site.

The network is traced once with ``torch.fx``. A clean pass keeps every intermediate value of a
batch; an edit then recomputes only the nodes that depend on it. Results equal those of
:mod:`steering.interventions.hooks` bit for bit, since the same modules see the same inputs. Where a module
writes into its input (``ReLU(inplace=True)``) it is given a copy, so that kept values stay clean.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, fx, nn

from agents.networks.policy import in_layout, logits_and_values
from envs.errors import InputError
from steering.interventions.graph import data_inputs, trace, trial_frames
from steering.interventions.hooks import Edits, by_full_name, checked_edit
from steering.interventions.sites import INPUT, find_site

CleanValues = dict[fx.Node, Any]
MOST_PLANS = 1_024  # kept: a user's stacks of edits have more sets of sites than memory


class PartialNetwork:
    """A traced network with ``clean`` and ``rerun``; parameters are shared, nothing is changed.

    Args:
        net: maps ``float[n, 3, 64, 64]`` to logits ``[n, 15]`` or to (logits, values ``[n]``).

    Raises:
        InputError: if the network cannot be traced, or writes into an activation that is read elsewhere; use
            :class:`steering.interventions.hooks.HookedPolicy` then.
    """

    def __init__(self, net: nn.Module) -> None:
        self.net = net
        self.graph = trace(net)
        self._modules: dict[Any, nn.Module] = dict(self.graph.named_modules())
        self._nodes: dict[str, fx.Node] = {}
        self._plans: dict[frozenset[fx.Node], list[tuple[fx.Node, bool]]] = {}
        for node in self.graph.graph.nodes:
            if node.op == "placeholder":
                self._nodes[INPUT] = node
            elif node.op == "call_module":
                self._nodes[str(node.target)] = node
        # Modules and functions of nothing but other nodes: most of a network, and quicker to call.
        self._plain: dict[fx.Node, tuple[Callable[..., Any], list[fx.Node]]] = {}
        for node in self.graph.graph.nodes:
            args = [arg for arg in node.args if isinstance(arg, fx.Node)]
            if node.op in ("call_module", "call_function") and not node.kwargs and len(args) == len(node.args):
                call: Any = self._modules[node.target] if node.op == "call_module" else node.target
                self._plain[node] = call, args
        self._output = next(n for n in self.graph.graph.nodes if n.op == "output")
        self._data = frozenset(data_inputs(self.graph.graph))
        last = {before: node for node in self.graph.graph.nodes for before in node.all_input_nodes}
        self._last_read: dict[fx.Node, list[fx.Node]] = {}  # by node: those that no node after it reads
        for before, node in last.items():
            self._last_read.setdefault(node, []).append(before)
        self._written: dict[fx.Node, set[fx.Node]] = {}
        values = self._find_written()
        kept = sum(value.nbytes for value in values.values() if isinstance(value, Tensor))
        self.bytes_per_state = kept // len(values[self._nodes[INPUT]])  # that `clean` keeps

    @torch.inference_mode(False)  # within it tensors do not count what is written into them
    @torch.no_grad()
    def _find_written(self) -> CleanValues:
        """Note for each node that writes into its inputs which these are; each must have this one reader.

        Return the values of some frames.
        """
        values: CleanValues = {self._nodes[INPUT]: trial_frames(self.net)}
        for node in self.graph.graph.nodes:
            before = {n: value._version for n, value in values.items() if isinstance(value, Tensor)}
            if node not in values:
                values[node] = self._run(node, values)
            changed = {n for n, version in before.items() if values[n]._version != version}
            if any(n.op == "get_attr" or set(n.users) != {node} for n in changed):
                raise InputError(
                    f"{type(self.net).__name__} writes into an activation read elsewhere; use HookedPolicy"
                )
            if changed:
                self._written[node] = changed
                values[node] = self._run(node, values)  # what it gives is then no alias of a kept value
        return values

    @torch.no_grad()
    def clean(self, x: Tensor) -> CleanValues:
        """Return the value of every node without any edit.

        Args:
            x: frames, ``float[n, 3, 64, 64]``, 0 to 1.
        """
        values: CleanValues = {self._nodes[INPUT]: in_layout(self.net, x)}
        for node in self.graph.graph.nodes:
            if node not in values:
                values[node] = self._run(node, values)
        return values

    @torch.no_grad()
    def passed(self, x: Tensor, sites: Iterable[str] = ()) -> tuple[Tensor, Tensor, CleanValues | None]:
        """Return what a clean pass gives and what :meth:`rerun` reads of it; all else is let go as soon as it is read.

        Args:
            x: frames, ``float[n, 3, 64, 64]``, 0 to 1.
            sites: names of the sites that are to be edited.

        Returns:
            Logits ``[n, 15]``; values ``[n]``; tensors ``[n, ...]`` by node, of which any rows make a batch for
            :meth:`rerun` with edits of ``sites``. None in their place where an edit's suffix reads something else, such
            as a shape, or where there are no sites.

        Raises:
            InputError: for an unknown site.
        """
        edited = frozenset(self._nodes[find_site(self.net, name).name] for name in sites)
        behind = {node for node, depends in self._downstream(edited) if depends}
        read = {before for node in behind for before in node.all_input_nodes} - behind | (edited - behind)
        source = self._nodes[INPUT]
        values: CleanValues = {source: in_layout(self.net, x)}
        counted = values[source][:, :0].clone()  # of no bytes: it tells a rerun how many rows there are
        for node in self.graph.graph.nodes:
            if node is not source:
                values[node] = self._run(node, values)
            for done in self._last_read.get(node, ()):
                if done not in read:
                    del values[done]
        logits, estimates = logits_and_values(values[self._output], len(x))
        fits = all(node in self._data and isinstance(values[node], Tensor) for node in read)
        kept = {source: counted} | {node: values[node] for node in read} if edited and fits else None
        return logits, estimates, kept

    @torch.no_grad()
    def rerun(self, clean: CleanValues, edits: Edits) -> tuple[Tensor, Tensor]:
        """Return logits and values under edits, recomputing only what depends on them.

        Args:
            clean: the values of all nodes, from :meth:`clean`.
            edits: functions ``[n, *site] -> [n, *site]`` by the name of their site.

        Returns:
            Logits ``[n, 15]``; values ``[n]``, NaN from a network that gives none; both on the processor.

        Raises:
            InputError: for an unknown site, or an edit that changes the shape.
        """
        named = by_full_name(edits, lambda name: find_site(self.net, name).name)
        by_node = {self._nodes[name]: (name, edit) for name, edit in named.items()}
        values = dict(clean)
        for node, depends in self._downstream(frozenset(by_node)):
            if depends:
                values[node] = self._run(node, values)
            if node in by_node:
                name, edit = by_node[node]
                values[node] = checked_edit(name, edit, values[node])
        return self.outputs(values)

    @torch.no_grad()
    def states(self, clean: CleanValues, site: str, which: Tensor) -> CleanValues:
        """Return what :meth:`rerun` from a site reads of a clean pass, of some of its states: a batch of their own.

        Args:
            clean: the values of all nodes, from :meth:`clean`.
            site: name of the site that is to be edited; of others the values are not kept.
            which: indices of states, ``int64[m]``; each may occur several times.

        Raises:
            InputError: for an unknown site.
        """
        start, source = self._nodes[find_site(self.net, site).name], self._nodes[INPUT]
        taken: CleanValues = {}

        def value(node: fx.Node) -> Any:
            if node not in taken and node in (start, source):
                taken[node] = clean[node][which]
            elif node not in taken:  # a constant, a shape, or what goes round the site: the same of the smaller batch
                taken[node] = self._run(node, {before: value(before) for before in node.all_input_nodes})
            return taken[node]

        behind = {node for node, depends in self._downstream(frozenset({start})) if depends}
        read = {before for node in behind for before in node.all_input_nodes} - behind | {start}
        counted = clean[source][:, :0][which]  # of no bytes: it tells a rerun how many rows there are
        return {source: counted} | {node: value(node) for node in read}

    def sites_before(self, sites: Iterable[str]) -> dict[str, list[str]]:
        """Return the sites that each of ``sites`` reads first, by their full names: the lines of a diagram.

        Between the two may lie operations that are no sites.
        """
        by_node = {self._nodes[name]: name for name in sites}
        seen: dict[fx.Node, dict[str, None]] = {}
        before: dict[str, list[str]] = {}
        for node, inputs in data_inputs(self.graph.graph).items():
            read = {name: None for part in inputs for name in ([by_node[part]] if part in by_node else seen[part])}
            seen[node] = read
            if node in by_node:
                before[by_node[node]] = list(read)
        return before

    def _downstream(self, edited: frozenset[fx.Node]) -> list[tuple[fx.Node, bool]]:
        """Return the nodes to visit in order, each with whether it depends on one before it (else only edited)."""
        found = self._plans.get(edited)
        if found is None:
            if len(self._plans) >= MOST_PLANS:
                self._plans.clear()
            dirty: set[fx.Node] = set()
            found = self._plans[edited] = []
            for node in self.graph.graph.nodes:
                depends = any(i in dirty for i in node.all_input_nodes)
                if depends or node in edited:
                    dirty.add(node)
                    found.append((node, depends))
        return found

    def outputs(self, values: CleanValues) -> tuple[Tensor, Tensor]:
        """Return (logits, values) of a pass; values NaN from a network that gives none."""
        return logits_and_values(values[self._output], len(values[self._nodes[INPUT]]))

    def activation(self, values: CleanValues, site: str) -> Tensor:
        """Return the activation ``[n, ...]`` at ``site`` in a clean pass, where the network computes."""
        value: Tensor = values[self._nodes[find_site(self.net, site).name]]
        return value

    def _run(self, node: fx.Node, values: CleanValues) -> Any:
        """Do what ``fx.Interpreter.run_node`` does, less its bookkeeping: that costs as much as a small convolution."""
        if node in self._written:
            values = {**values, **{n: values[n].clone() for n in self._written[node]}}
        target: Any = node.target
        if node in self._plain:
            call, inputs = self._plain[node]
            return call(*[values[n] for n in inputs])
        args = fx.map_arg(node.args, values.__getitem__)
        kwargs = fx.map_arg(node.kwargs, values.__getitem__)
        if node.op == "call_module":
            return self._modules[target](*args, **kwargs)
        if node.op == "call_method":
            return getattr(args[0], target)(*args[1:], **kwargs)
        if node.op == "get_attr":
            return operator.attrgetter(target)(self.graph)
        return args[0] if node.op == "output" else target(*args, **kwargs)
