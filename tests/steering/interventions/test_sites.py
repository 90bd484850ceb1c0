"""Sites: what the graph says must agree with what the network does."""

from __future__ import annotations

import networkx
import pytest
import torch
from torch import nn

from agents.networks.impala import ImpalaPolicyNet
from agents.networks.policy import MazePolicy
from envs.errors import InputError
from steering.experiments.conditions import PUBLISHED_SITE
from steering.interventions.graph import trace
from steering.interventions.hooks import HookedPolicy
from steering.interventions.sites import enumerate_sites, find_site, select_sites

TRUNK = 18
DISTINCT_TRUNK = 12


def test_counts_and_order(policy: MazePolicy) -> None:
    sites = enumerate_sites(policy.net)
    assert len(sites) == 42
    assert sites[0].name == "input" and sites[-1].name == "fc_policy"
    assert [site.depth for site in sites] == list(range(42))
    trunk = [site for site in sites if site.trunk]
    assert len(trunk) == TRUNK
    assert len({site.equivalence_class for site in trunk}) == DISTINCT_TRUNK


@pytest.mark.parametrize("scale", [1, 2])
def test_shapes_are_those_of_a_forward_pass(scale: int) -> None:
    net = ImpalaPolicyNet(scale)
    sites = enumerate_sites(net)
    _, _, seen = HookedPolicy(net).run(torch.zeros(2, 3, 64, 64), capture=[s.name for s in sites])
    assert {s.name: s.shape for s in sites} == {name: tuple(value.shape[1:]) for name, value in seen.items()}


def test_published_site_has_the_published_size() -> None:
    site = find_site(ImpalaPolicyNet(4), PUBLISHED_SITE)
    assert site.size == 32_768 and site.trunk and site.receptive_field == 45


def test_receptive_fields_of_the_literature(policy: MazePolicy) -> None:
    fields = {s.name.removeprefix("embedder."): s.receptive_field for s in enumerate_sites(policy.net)}
    known = {
        "input": 1,
        "block1.conv": 3,
        "block1.res2.resadd": 21,
        "block2.res1.resadd": 45,
        "block2.res2.resadd": 61,
        "block3.maxpool": 77,
        "relufc": None,
    }
    assert {name: fields[name] for name in known} == known


@pytest.mark.parametrize(
    "name", ["embedder.block1.maxpool", "embedder.block2.res1.conv1", PUBLISHED_SITE, "embedder.block3.conv"]
)
def test_receptive_field_is_what_a_pixel_can_reach(random_policy: MazePolicy, name: str) -> None:
    """Gradient of one central unit: it touches pixels inside the stated square and no others."""
    site = find_site(random_policy.net, name)
    x = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)).requires_grad_()
    seen: dict[str, torch.Tensor] = {}
    handle = random_policy.net.get_submodule(name).register_forward_hook(lambda _m, _i, out: seen.update(out=out))
    try:
        random_policy.net(x)
    finally:
        handle.remove()
    middle = site.shape[1] // 2
    seen["out"][0, :, middle, middle].abs().sum().backward()
    assert x.grad is not None and site.receptive_field is not None
    touched = (x.grad[0].abs().sum(0) > 0).nonzero()
    sides = touched.max(0).values - touched.min(0).values + 1
    assert int(sides.max()) <= site.receptive_field


def test_trunk_means_that_removal_cuts_the_graph(policy: MazePolicy) -> None:
    """Independent definition: without the node no path leads from the input to the logits."""
    graph = trace(policy.net).graph
    digraph = networkx.DiGraph((a, b) for b in graph.nodes for a in b.all_input_nodes)
    nodes = {"input" if n.op == "placeholder" else str(n.target): n for n in graph.nodes}
    source, target = nodes["input"], nodes["fc_policy"]
    for site in enumerate_sites(policy.net):
        node = nodes[site.name]
        if node in (source, target):
            assert site.trunk
            continue
        cut = digraph.copy()
        cut.remove_node(node)
        assert site.trunk == (not networkx.has_path(cut, source, target)), site.name


def test_affine_sites_are_affine_and_the_others_are_not(random_policy: MazePolicy) -> None:
    """f(a) - f(b) = f(a + c) - f(b + c) exactly where the flag says so."""
    generator = torch.Generator().manual_seed(2)
    a, b, c = (torch.rand(1, 3, 64, 64, generator=generator) for _ in range(3))
    names = [s.name for s in enumerate_sites(random_policy.net)]
    _, _, seen = HookedPolicy(random_policy.net).run(torch.cat([a, b, a + c, b + c]), capture=names)
    for site in enumerate_sites(random_policy.net):
        fa, fb, fac, fbc = seen[site.name]
        error = ((fa - fb) - (fac - fbc)).abs().max() / (fa - fb).abs().max()
        assert (float(error) < 1e-4) == site.affine, (site.name, float(error))


def test_names_are_forgiving_but_unknown_ones_are_not(policy: MazePolicy) -> None:
    for alias in ("embedder.block2.res1.resadd_out", "block2.res1.resadd", PUBLISHED_SITE):
        assert find_site(policy.net, alias).name == PUBLISHED_SITE
    assert find_site(policy.net, "logits").name == "fc_policy"
    with pytest.raises(InputError, match="embedder.block2.res1.resadd"):
        find_site(policy.net, "embedder.block2.res1.resad")


def test_a_label_of_what_goes_into_a_module_is_the_site_where_an_edit_is_the_same(random_policy: MazePolicy) -> None:
    """Labels ``MODULE_in0`` and ``MODULE_in1``: the site edits that input and nothing else, or it is refused."""
    net, hooked = random_policy.net, HookedPolicy(random_policy.net)
    generator = torch.Generator().manual_seed(3)
    x = torch.rand(2, 3, 64, 64, generator=generator)
    found, refused = set(), set()
    for site in enumerate_sites(net)[1:]:
        module = net.get_submodule(site.name)
        for number in range(2 if site.name.endswith("resadd") else 1):
            label = f"{site.name}_in{number}"
            try:
                before = find_site(net, label)
            except InputError as error:
                assert "goes elsewhere too" in str(error)
                refused.add(label)
                continue
            found.add(label)
            v = torch.randn(before.shape, generator=generator)

            def minus(_: nn.Module, inputs: tuple[torch.Tensor, ...], k: int = number, v: torch.Tensor = v) -> object:
                return (*inputs[:k], inputs[k] - v, *inputs[k + 1 :])

            handle = module.register_forward_pre_hook(minus)
            expected = net(x)[0].detach()
            handle.remove()
            logits, _, _ = hooked.run(x, {before.name: lambda a, v=v: a - v})
            torch.testing.assert_close(logits, expected)
    assert find_site(net, "embedder.block1.conv_in0").name == "input" == find_site(net, "block1.conv_in0").name
    assert len(found) == 35 and refused == {
        f"embedder.block{b}.res{r}.{m}_in0" for b in (1, 2, 3) for r in (1, 2) for m in ("relu1", "resadd")
    }


def test_selection(policy: MazePolicy) -> None:
    assert len(select_sites("trunk", policy.net)) == TRUNK
    assert len(select_sites("all", policy.net)) == 42
    chosen = select_sites("relu3, input,relu3", policy.net)
    assert [site.name for site in chosen] == ["input", "embedder.relu3"]
    with pytest.raises(InputError, match="no sites"):
        select_sites(" , ", policy.net)


def test_a_network_that_gives_no_logits_is_refused() -> None:
    class Branching(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x if x.sum() > 0 else -x

    with pytest.raises(InputError, match="cannot be traced"):
        trace(Branching())
    with pytest.raises(InputError, match=r"^the network gives logits \(2, 3, 64, 64\) [^\n]*, expected \(2, 15\)"):
        enumerate_sites(Branching())
