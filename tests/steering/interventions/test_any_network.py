"""Networks of other architectures: with a graph or without, as their authors write them, one set of numbers."""

from __future__ import annotations

import itertools
import json
from collections import OrderedDict
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils import prune

from agents.checkpoints.zoo import load_policy
from agents.networks.impala import ImpalaPolicyNet
from agents.networks.nature import NaturePolicyNet
from agents.networks.policy import MazePolicy, as_policy, to_input
from envs.errors import InputError
from envs.maze import Maze
from envs.stored.json_records import to_plain
from steering.experiments.exact import LevelEvaluator, evaluate
from steering.experiments.outcome import Outcome
from steering.interventions.edits import Intervention, add, subtract
from steering.interventions.graph import hooked, trace
from steering.interventions.hooks import HookedPolicy
from steering.interventions.partial import PartialNetwork
from steering.interventions.sites import Site, enumerate_sites, find_site, select_sites
from steering.interventions.vectors import cheese_vector, cheese_vectors
from steering.records.sites import site_facts

pytestmark = pytest.mark.usefixtures("one_thread")

CNN = "features_extractor.cnn."
NATURE_SITES = ["input", *(f"{CNN}{i}" for i in range(7))]
NATURE_SITES += ["features_extractor.linear.0", "features_extractor.linear.1", "action_net"]


def nature(size: float = 8.0, **options: object) -> NaturePolicyNet:
    """A seeded Nature CNN whose moves depend on the picture."""
    net = NaturePolicyNet(generator=torch.Generator().manual_seed(4), **options)
    with torch.no_grad():
        net.action_net.weight.mul_(size)
    return net


class Nature(nn.Module):
    """The same network as a user might write it: it gives logits alone. Variants of it below."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        twin = nature()
        self.conv1, self.conv2, self.conv3 = (twin.get_submodule(f"{CNN}{i}") for i in (0, 2, 4))
        self.relu1, self.relu2, self.relu3, self.relu4 = (nn.ReLU(inplace=inplace) for _ in range(4))
        self.fc = twin.get_submodule("features_extractor.linear.0")
        self.head = twin.action_net

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu3(self.conv3(self.relu2(self.conv2(self.relu1(self.conv1(x))))))
        return self.head(self.relu4(self.fc(x.view(x.size(0), -1))))


class Untraceable(Nature):
    """Control flow that depends on data."""

    def forward(self, x: Tensor) -> Tensor:
        if float(x.abs().max()) > 1e6:
            return self.head(self.relu4(self.fc(x.flatten(1)[:, :1024])))
        return super().forward(x)


class Reused(Nature):
    """One ReLU for all layers, and a function for the last."""

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu1(self.conv3(self.relu1(self.conv2(self.relu1(self.conv1(x))))))
        return self.head(functional.relu(self.fc(torch.flatten(x, 1))))


class Optional(Nature):
    """A second argument, which torch.fx would take for given."""

    def forward(self, x: Tensor, mask: Tensor | None = None) -> Tensor:
        x = super().forward(x)
        return x if mask is None else x * mask


class Bytes(Nature):
    """Centres its frames with a parameter, and scales them, before the first module."""

    def __init__(self) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.full((3, 1, 1), 0.25))

    def forward(self, x: Tensor) -> Tensor:
        return super().forward((x - self.mean) * 1.5)


class Skip(nn.Module):
    """A residual sum whose skip path a ReLU writes over (``inplace``), as one meets it."""

    def __init__(self, inplace: bool = True) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.stem = nn.Conv2d(3, 8, 8, stride=8)
        self.norm = nn.BatchNorm2d(8)
        self.relu = nn.ReLU(inplace=inplace)
        self.conv = nn.Conv2d(8, 8, 3, padding=1)
        self.drop = nn.Dropout(0.5)
        self.heads = nn.ModuleList([nn.Linear(512, 15), nn.Linear(512, 1)])
        self.norm.running_mean += 0.1

    def forward(self, x: Tensor) -> list[Tensor]:
        x = self.norm(self.stem(x))
        x = (x + self.conv(self.relu(x))).flatten(1)
        return [head(self.drop(x)) for head in self.heads]


NETWORKS: dict[str, tuple[Callable[[], nn.Module], bool]] = {
    "raw frames": (lambda: nature(8.0 / 255, raw=True), True),
    "nature": (nature, True),
    "layers": (lambda: nature(policy_layers=(32, 16), value_layers=(8,), activation=nn.ReLU, shared=False), True),
    "as written": (Nature, True),
    "inplace": (lambda: Nature(inplace=True), True),
    "reused": (Reused, True),
    "bytes": (Bytes, True),
    "skip": (lambda: Skip(inplace=False), True),
    "skip overwritten": (Skip, False),
    "untraceable": (Untraceable, False),
    "optional": (Optional, False),
}


@pytest.fixture(scope="module")
def tiny_maze() -> Maze:
    """A handful of states."""
    return Maze.from_ascii("C..\n.##\nM..")


@pytest.fixture(params=NETWORKS)
def named(request: pytest.FixtureRequest) -> tuple[str, MazePolicy, bool]:
    """Name, policy, and whether partial re-execution is possible."""
    make, partial = NETWORKS[request.param]
    torch.manual_seed(0)
    return request.param, as_policy(make()), partial


def same_outcome(a: Outcome, b: Outcome, tolerance: float = 0.0) -> bool:
    pairs = zip(a.to_json().values(), b.to_json().values(), strict=True)
    return all((x is None) == (y is None) and (x is None or abs(x - y) <= tolerance) for x, y in pairs)


def test_hooks_and_partial_give_one_outcome(named: tuple[str, MazePolicy, bool], tiny_maze: Maze) -> None:
    name, policy, partial = named
    fast, slow = LevelEvaluator(policy, tiny_maze), LevelEvaluator(policy, tiny_maze, hooks_only=True)
    assert (fast._partial is not None) == partial
    sites = [site.name for site in enumerate_sites(policy.net)]
    vectors = cheese_vectors(policy, tiny_maze, sites)
    edits = [subtract(vector) for vector in vectors.values()]
    edits += [subtract(vectors[a]) + add(vectors[b], 2.0) for a, b in itertools.pairwise(sites[::2])]
    found = fast.fields(edits)
    for a, b in zip(found, slow.fields(edits), strict=True):
        assert np.array_equal(a.probabilities, b.probabilities), name
        assert np.array_equal(a.values, b.values, equal_nan=True), name
    assert same_outcome(fast.outcome_of(found[1]), slow.outcomes(edits[1:2])[0])
    moved = [float(np.abs(field.probabilities - fast.clean.probabilities).max()) for field in found[: len(sites)]]
    assert sum(m > 1e-6 for m in moved) >= 5, (name, moved)
    gives_value = name in ("nature", "raw frames", "layers", "skip", "skip overwritten")
    assert np.isnan(fast.clean_outcome().value_start) != gives_value


def test_all_ways_to_write_one_network_give_one_outcome(tiny_maze: Maze) -> None:
    known = as_policy(nature())
    vectors = cheese_vectors(known, tiny_maze, [f"{CNN}3", "features_extractor.linear.1"])
    want = LevelEvaluator(known, tiny_maze).outcomes([Intervention(), *map(subtract, vectors.values())])
    for make in (Nature, lambda: Nature(inplace=True), Untraceable, Optional):
        policy = as_policy(make())
        found = cheese_vectors(policy, tiny_maze, ["relu2", "relu4"])
        got = LevelEvaluator(policy, tiny_maze).outcomes([Intervention(), *map(subtract, found.values())])
        for a, b in zip(want, got, strict=True):
            a, b = (Outcome(**{**vars(o), "value_start": 0.0}) for o in (a, b))
            assert same_outcome(a, b, 1e-4)
    assert want[1] != want[0] != want[2]


def test_sites_of_the_nature_cnn() -> None:
    sites = enumerate_sites(nature())
    assert [site.name for site in sites] == NATURE_SITES
    assert all(site.trunk for site in sites)
    assert [site.name for site in sites if site.affine] == ["input", f"{CNN}0"]
    classes = [NATURE_SITES.index(site.equivalence_class) for site in sites]
    assert classes == [0, 0, 2, 2, 4, 4, 6, 6, 6, 9, 9]
    assert [site.receptive_field for site in sites] == [1, 8, 8, 20, 20, 36, 36, 36, None, None, None]
    shapes = [(3, 64, 64), *[(32, 15, 15)] * 2, *[(64, 6, 6)] * 2, *[(64, 4, 4)] * 2, (1024,), (512,), (512,), (15,)]
    assert [site.shape for site in sites] == shapes
    assert [site.feeds_value for site in sites] == [True] * 10 + [False]
    assert find_site(nature(), "logits").name == "action_net"


def test_layers_and_an_extractor_of_its_own_for_the_critic() -> None:
    net = nature(policy_layers=(32, 16), value_layers=(8,), shared=False)
    sites = {site.name: site for site in enumerate_sites(net)}
    layers = [f"mlp_extractor.policy_net.{i}" for i in range(4)]
    assert list(sites) == [*NATURE_SITES[:-1], *layers, "action_net"]
    assert not any(site.feeds_value for name, site in sites.items() if name != "input")
    assert sites[layers[0]].equivalence_class == "features_extractor.linear.1"
    assert sites["action_net"].equivalence_class == layers[3]


@pytest.mark.parametrize("name", ["nature", "as written", "bytes", "skip"])
def test_affine_flags_and_receptive_fields_are_those_of_the_numbers(name: str) -> None:
    net = NETWORKS[name][0]().eval()
    generator = torch.Generator().manual_seed(2)
    a, b, c = (torch.rand(1, 3, 64, 64, generator=generator) for _ in range(3))
    sites = enumerate_sites(net)
    _, _, seen = HookedPolicy(net).run(torch.cat([a, b, a + c, b + c]), capture=[s.name for s in sites])
    for site in sites:
        fa, fb, fac, fbc = seen[site.name]
        error = float(((fa - fb) - (fac - fbc)).abs().max() / (fa - fb).abs().max())
        assert (error < 1e-4) == site.affine, (site.name, error)
        if site.receptive_field is not None and len(site.shape) == 3 and site.name != "input":
            x, middle = a.clone().requires_grad_(), site.shape[1] // 2
            taken: list[Tensor] = []
            with hooked(net, [site.name], lambda _, value, taken=taken: taken.append(value)):  # type: ignore[misc]
                net(x)
            (gradient,) = torch.autograd.grad(taken[0][0, :, middle, middle].square().sum(), x)
            touched = (gradient[0].abs().sum(0) > 0).nonzero()
            sides = touched.max(0).values - touched.min(0).values + 1
            assert int(sides.max()) == site.receptive_field, site.name


def test_equivalent_sites_give_equal_policies_and_others_do_not(tiny_maze: Maze) -> None:
    policy = as_policy(nature())
    level = LevelEvaluator(policy, tiny_maze)
    vectors = cheese_vectors(policy, tiny_maze, NATURE_SITES)
    fields = level.fields([subtract(vectors[name]) for name in NATURE_SITES])
    found = {name: field.probabilities for name, field in zip(NATURE_SITES, fields, strict=True)}
    sites = enumerate_sites(policy.net)
    for one, other in itertools.combinations(sites, 2):
        difference = float(np.abs(found[one.name] - found[other.name]).max())
        assert (difference < 1e-5) == (one.equivalence_class == other.equivalence_class), (one.name, other.name)
    start = tiny_maze.state_index(tiny_maze.mouse, tiny_maze.facing)
    for name, p in found.items():
        np.testing.assert_allclose(p[start], level.no_cheese.probabilities[start], atol=1e-5, err_msg=name)


def test_without_a_graph_only_what_is_known_is_said() -> None:
    net = Untraceable().eval()
    sites = enumerate_sites(net)
    names = ["conv1", "relu1", "conv2", "relu2", "conv3", "relu3", "fc", "relu4", "head"]
    assert [site.name for site in sites] == ["input", *names]
    assert [site.name for site in select_sites("trunk", net)] == ["input", "head"]
    assert {site.equivalence_class for site in sites} == {site.name for site in sites}
    assert [site.affine for site in sites] == [True] + [None] * 9
    assert [site.trunk for site in sites] == [True] + [None] * 8 + [True]
    assert [site.receptive_field for site in sites] == [1] + [None] * 9
    assert find_site(net, "logits").name == "head" and find_site(net, "pixels").name == "input"
    graphed = {site.name: site.shape for site in enumerate_sites(Nature())}
    assert {site.name: site.shape for site in sites} == graphed
    assert json.loads(json.dumps(to_plain(site_facts(sites))))[1]["trunk"] is None
    with pytest.raises(InputError, match="cannot be traced"):
        trace(net)
    with pytest.raises(InputError, match="no site 'conv9' in this network; did you mean 'conv"):
        find_site(net, "conv9")


def test_a_module_that_runs_more_than_once_is_no_site(tiny_maze: Maze) -> None:
    net = Reused()
    sites = enumerate_sites(net)
    assert [site.name for site in sites] == ["input", "conv1", "conv2", "conv3", "fc", "head"]
    assert [site.equivalence_class for site in sites] == ["input", "input", "conv2", "conv3", "fc", "head"]
    with pytest.raises(InputError, match="'relu1' is not a site"):
        find_site(net, "relu1")
    with pytest.raises(InputError, match="relu1: its module ran 3 times for these frames, expected once"):
        HookedPolicy(net).run(to_input(tiny_maze.observations()[:2]), capture=["relu1"])


def test_a_site_that_the_frames_do_not_reach_is_an_error(tiny_maze: Maze) -> None:
    frames = to_input(tiny_maze.observations()[:2])
    with pytest.raises(InputError, match="conv1: its module ran 0 times"):
        HookedPolicy(Untraceable()).run(frames * 1e9, {"conv1": lambda a: a * 0.0})


def test_functions_between_modules_keep_classes_apart_or_together() -> None:
    sites = {site.name: site for site in enumerate_sites(Nature())}
    assert sites["fc"].equivalence_class == "relu3"  # through x.view(x.size(0), -1), an affine function
    shifted = {site.name: site for site in enumerate_sites(Bytes())}
    assert shifted["conv1"].affine and shifted["conv1"].equivalence_class == "input"
    skip = {site.name: site for site in enumerate_sites(Skip(inplace=False))}
    assert {name for name, site in skip.items() if site.trunk} == {"input", "stem", "norm", "heads.0"}
    assert {name for name, site in skip.items() if site.affine} == {"input", "stem", "norm"}
    assert "drop" not in skip and "heads.1" not in skip and skip["norm"].feeds_value
    assert find_site(Skip(), "logits").name == "heads.0"


def test_a_network_is_left_as_it_was(tiny_maze: Maze) -> None:
    net = Skip().train()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    policy = as_policy(net, "mine")
    enumerate_sites(net)
    first = evaluate(policy, tiny_maze)
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
    assert all(module.training for module in net.modules()) and all(p.requires_grad for p in net.parameters())
    assert policy.name == "mine" and len(policy.sha256) == 64 and as_policy(net).sha256 == policy.sha256
    with torch.no_grad():
        net.heads[0].weight.mul_(-1.0)
    assert same_outcome(evaluate(policy, tiny_maze), first)
    assert as_policy(net).sha256 != policy.sha256 and as_policy(net).name == "Skip"


def test_inplace_modules_do_not_spoil_kept_values(tiny_maze: Maze) -> None:
    net = as_policy(Nature(inplace=True)).net
    partial = PartialNetwork(net)
    clean = partial.clean(to_input(tiny_maze.observations()[:4]))
    kept = {node: value.clone() for node, value in clean.items() if isinstance(value, Tensor)}
    partial.rerun(clean, {"conv2": lambda a: a - 1.0})
    assert all(torch.equal(clean[node], value) for node, value in kept.items())
    assert float(partial.activation(clean, "conv1").min()) < 0.0


def test_every_site_has_a_depth(named: tuple[str, MazePolicy, bool]) -> None:
    sites: tuple[Site, ...] = enumerate_sites(named[1].net)
    assert [site.depth for site in sites] == list(range(len(sites))) and sites[0].name == "input"
    assert sites[0].trunk and len({site.name for site in sites}) == len(sites)


class Keeper(nn.Module):
    """Keeps activations on itself, as hooks and analyses do, deep within containers too."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 8, 8)
        self.head = nn.Linear(256, 15)
        self.seen: dict[str, tuple[Tensor, ...]] = {}

    def forward(self, x: Tensor) -> Tensor:
        self.last = self.conv(x)
        self.seen["conv"] = (self.last, self.last.relu())
        logits: Tensor = self.head(self.last.flatten(1))
        return logits


def used(change: Callable[[Keeper], object]) -> Keeper:
    """A network that was changed by its user and has run with gradients."""
    net = Keeper()
    change(net)
    net(torch.rand(2, 3, 64, 64)).sum().backward()
    return net


USED: dict[str, Callable[[], nn.Module]] = {
    "kept activations": lambda: used(lambda net: None),
    "weight norm": lambda: used(lambda net: torch.nn.utils.parametrizations.weight_norm(net.conv)),
    "weight norm of old": lambda: used(lambda net: torch.nn.utils.weight_norm(net.conv)),
    "spectral norm of old": lambda: used(lambda net: torch.nn.utils.spectral_norm(net.conv)),
    "pruned": lambda: used(lambda net: prune.l1_unstructured(net.conv, "weight", 0.5)),
    "compiled": lambda: compiled(Keeper()),
    "compiled within": lambda: nn.Sequential(compiled(Keeper())),
    "a compiled forward": lambda: forward_compiled(Keeper()),
    "a compiled forward of torch's": lambda: forward_compiled(in_a_row(Keeper())),
    "a forward compiled in its class": lambda: CompiledInClass(),
}


class CompiledInClass(Keeper):
    """Its class has compiled what its modules run in."""

    @torch.compile(backend="eager")
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)


def in_a_row(net: Keeper) -> nn.Module:
    return nn.Sequential(OrderedDict(conv=net.conv, flat=nn.Flatten(), head=net.head))


def forward_compiled(net: nn.Module) -> nn.Module:
    """The network with its ``forward`` compiled in place, as many do."""
    net.forward = torch.compile(net.forward, backend="eager")
    return net


def compiled(net: nn.Module) -> nn.Module:
    """The network as ``torch.compile`` wraps it; nothing is compiled before it runs."""
    wrapped: nn.Module = torch.compile(net, backend="eager")  # type: ignore[assignment]
    return wrapped


@pytest.mark.filterwarnings("ignore")  # torch remarks on the norms of old
@pytest.mark.parametrize("name", USED)
def test_a_network_that_was_used_pruned_or_compiled_is_a_policy(name: str, tiny_maze: Maze) -> None:
    """It is copied without its graph of gradients and left as it was; its sites have the names of its modules."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = USED[name]()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    policy = as_policy(net)
    assert all(torch.equal(value, before[key]) for key, value in net.state_dict().items())
    within = "0." if name == "compiled within" else ""
    assert {f"{within}conv", f"{within}head"} <= {site.name for site in enumerate_sites(policy.net)}
    steered = evaluate(policy, tiny_maze, subtract(cheese_vector(policy, tiny_maze, f"{within}conv")))
    assert not same_outcome(steered, evaluate(policy, tiny_maze))
    x = to_input(tiny_maze.observations()[:4]).contiguous()
    with torch.no_grad():
        torch.testing.assert_close(policy.net(x), net.eval()(x))


def test_torchs_default_type_changes_no_number(tiny_maze: Maze) -> None:
    """Neither of networks made here nor of those from files."""

    def numbers() -> list[float | None]:
        policies = [
            load_policy("region5"),
            as_policy(nature()),
            as_policy(ImpalaPolicyNet(generator=torch.Generator().manual_seed(1))),
        ]
        found: list[float | None] = []
        for policy in policies:
            site = next(site.name for site in enumerate_sites(policy.net) if len(site.shape) == 3 and site.depth)
            steered = evaluate(policy, tiny_maze, subtract(cheese_vector(policy, tiny_maze, site)))
            found += [steered.p_cheese, evaluate(policy, tiny_maze).value_start]
        return found

    before = numbers()
    torch.set_default_dtype(torch.float64)
    try:
        assert numbers() == before
    finally:
        torch.set_default_dtype(torch.float32)
