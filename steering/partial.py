"""Partial re-execution: run only what lies downstream of an edited site.

The network is traced once with ``torch.fx``. A clean pass keeps every intermediate value of a
batch; an edit then recomputes only the nodes that depend on it. Results equal those of
:mod:`steering.hooks` bit for bit, since the same modules see the same inputs.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, fx, nn

from steering.hooks import Edits, checked_edit
from steering.sites import INPUT, find_site, trace

CleanValues = dict[fx.Node, Any]


class PartialNetwork:
    """A traced network with ``clean`` and ``rerun``; parameters are shared, nothing is changed.

    Raises :class:`envs.errors.InputError` if the network cannot be traced; use
    :class:`steering.hooks.HookedPolicy` then.
    """

    def __init__(self, net: nn.Module) -> None:
        self.net = net
        self.graph = trace(net)
        self._runner = fx.Interpreter(self.graph)
        self._nodes: dict[str, fx.Node] = {}
        for node in self.graph.graph.nodes:
            if node.op == "placeholder":
                self._nodes[INPUT] = node
            elif node.op == "call_module":
                self._nodes[str(node.target)] = node
        self._output = next(n for n in self.graph.graph.nodes if n.op == "output")

    @torch.no_grad()
    def clean(self, x: Tensor) -> CleanValues:
        """Every node's value for the batch ``x`` ``[n, 3, 64, 64]`` without any edit."""
        values: CleanValues = {self._nodes[INPUT]: x}
        for node in self.graph.graph.nodes:
            if node not in values:
                values[node] = self._run(node, values)
        return values

    @torch.no_grad()
    def rerun(self, clean: CleanValues, edits: Edits) -> tuple[Tensor, Tensor]:
        """(logits, values) with ``edits`` applied, recomputing only what depends on them."""
        by_node = {self._nodes[find_site(self.net, name).name]: (name, edit) for name, edit in edits.items()}
        values = dict(clean)
        dirty: set[fx.Node] = set()
        for node in self.graph.graph.nodes:
            if any(i in dirty for i in node.all_input_nodes):
                values[node] = self._run(node, values)
                dirty.add(node)
            if node in by_node:
                name, edit = by_node[node]
                values[node] = checked_edit(name, edit, values[node])
                dirty.add(node)
        return values[self._output]  # type: ignore[no-any-return]

    def outputs(self, values: CleanValues) -> tuple[Tensor, Tensor]:
        """(logits, values) of a clean pass."""
        return values[self._output]  # type: ignore[no-any-return]

    def activation(self, values: CleanValues, site: str) -> Tensor:
        """The activation ``[n, ...]`` at ``site`` in a clean pass."""
        value: Tensor = values[self._nodes[find_site(self.net, site).name]]
        return value

    def _run(self, node: fx.Node, values: CleanValues) -> Any:
        self._runner.env = values
        try:
            return self._runner.run_node(node)
        finally:
            self._runner.env = {}
