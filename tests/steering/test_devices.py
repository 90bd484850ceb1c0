"""Numbers of a network on a device of its own are the processor's: bit for bit on one made of it, nearly on a GPU."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from agents.hardware import check_device, device_named, on_device
from agents.networks.policy import MazePolicy, device_of, to_input
from envs.errors import InputError
from envs.maze import Maze
from steering.app.session.session import Session
from steering.app.session.state import HeatAsked
from steering.experiments.conditions import CONDITIONS, EDIT
from steering.experiments.exact import LevelEvaluator
from steering.experiments.levels import qualifying_levels
from steering.experiments.sampled import rollouts
from steering.interventions.edits import Intervention, ablate, clamp, patch, patch_place, subtract
from steering.interventions.hooks import HookedPolicy
from steering.interventions.partial import PartialNetwork
from steering.interventions.sites import find_site, select_sites
from steering.interventions.vectors import activation, cheese_vector
from steering.planning.measure import behaviour_row, map_row, patch_row
from steering.planning.pairs import Goal
from steering.probes.data import activations, probe_data
from steering.probes.position_dependence import position_sums
from steering.readouts.directions import MOUSE, READOUT, Directions
from steering.readouts.measure import activations_of
from steering.readouts.written import LevelWriter
from steering.records.planning import PlanningSettings, basis_of
from steering.sweep.executors import Cluster
from steering.sweep.planning import SweepOptions, device_of_units
from steering.sweep.spec import SweepSpec
from steering.sweep.store import Store
from steering.sweep.units import batched, run_batch, run_unit, split
from tests.helpers.command import mazesteer
from tests.helpers.second_device import Misplaced, SecondTensor, second_device
from tests.helpers.workbench import STACK, state_of

GPU = torch.cuda.device_count() > 0
SITES = ("input", "embedder.block2.res1.resadd", "embedder.relufc")
MAP = SITES[1]
LEVEL = 26  # a small maze that qualifies


@contextlib.contextmanager
def _undone() -> Iterator[None]:
    """Take back what torch is told for the whole process."""
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(False)


@pytest.fixture(params=["second", pytest.param("cuda", marks=pytest.mark.skipif(not GPU, reason="no GPU here"))])
def elsewhere(request: pytest.FixtureRequest, random_policy: MazePolicy) -> Iterator[tuple[MazePolicy, float]]:
    """The random policy on another device, and how far a probability may be from the processor's."""
    policy = MazePolicy(copy.deepcopy(random_policy.net), random_policy.name, random_policy.sha256)
    if request.param == "cuda":
        with _undone():
            yield on_device(policy, "cuda"), 1e-4
    else:
        with second_device() as device:
            yield policy.to(device), 0.0


def numbers(part: Any) -> Iterator[float | str]:
    """Yield everything in a record, in order."""
    if dataclasses.is_dataclass(part):
        part = vars(part)
    if isinstance(part, torch.Tensor):
        part = part.numpy()
    if isinstance(part, np.ndarray):
        yield from map(float, part.ravel())
    elif isinstance(part, dict):
        yield from (each for name in sorted(part, key=str) for each in numbers(part[name]))
    elif isinstance(part, list | tuple):
        yield from (each for inner in part for each in numbers(inner))
    elif isinstance(part, str | None):
        yield str(part)
    else:
        yield float(part)


def maze_of(level: int = LEVEL) -> Maze:
    return Maze.from_level(level)


def edited(policy: MazePolicy) -> Any:
    """Every kind of edit, by partial re-execution and by hooks."""
    maze, site = maze_of(), find_site(policy.net, MAP)
    vector, other = cheese_vector(policy, maze, MAP), activation(policy, maze, MAP, maze.corner)
    edits = [
        Intervention(),
        subtract(vector),
        patch(other),
        patch(other, (1, 3)),
        patch_place(site, other, [(0, 0), (3, 4)]),
        ablate(MAP, (0, 2)),
        clamp(MAP, (1, 2, 3), 5.6),
    ]
    runs = [LevelEvaluator(policy, maze, 32, hooks_only=hooks).fields(edits) for hooks in (False, True)]
    moves = policy.move_probabilities(maze.observations()[:3])
    return runs, moves, policy.predict(maze.observations()[:3], deterministic=True)[0]


def swept(policy: MazePolicy) -> Any:
    """A unit of every group of conditions, with its sums by distance."""
    every = tuple(name for name in CONDITIONS if name != EDIT)  # that one has edits of its own
    spec = SweepSpec("random", "0" * 64, (LEVEL,), SITES, conditions=every, horizon=32, episodes=0)
    results = [run_unit(policy, unit, spec) for unit in split(LEVEL, spec.keys(LEVEL))]
    return [(row.outcome, row.source) for result in results for row in result.rows], [r.sums for r in results]


def recorded(policy: MazePolicy) -> Any:
    """Probabilities along a rollout's first move, which chance does not touch."""
    (track,) = rollouts(
        policy, maze_of(), subtract(cheese_vector(policy, maze_of(), MAP)), episodes=1, seed=0, horizon=1
    )
    return track.probabilities


def shown(policy: MazePolicy) -> Any:
    """What the workbench shows of a state, whole: outcomes, a heat map, channels, blindness by site, causal maps."""
    tiny = Maze.from_ascii("C..\n.##\nM..")
    asked = state_of(tiny, STACK, asked=("curve", "channels", "causal"), heat=HeatAsked("norm", 0, "steered"))
    updates = [update for update in Session(policy).work(asked) if update.type not in ("maze", "field", "done")]
    assert {"outcome", "heat", "channels", "curve", "causal"} == {update.type for update in updates}
    whole = {(update.type, update.facts.get("panel") or update.facts.get("site")): update for update in updates}
    return [(update.facts, dict(update.arrays)) for update in whole.values()]


def planned(policy: MazePolicy) -> Any:
    maze, sites = maze_of(100), [find_site(policy.net, name) for name in SITES[:2]]
    return (
        behaviour_row(policy, maze, Goal.CORNER, 2, 3, 0),
        patch_row(policy, maze, "cheese", Goal.CHEESE, sites, 3, 3, 0),
        map_row(policy, maze, "cheese", Goal.CHEESE, sites[1:], 3, 3, 0, 1),
    )


def probed(policy: MazePolicy) -> Any:
    mazes = qualifying_levels(range(200), 10)[0]
    data = probe_data(policy, mazes, 1, 0)
    sites = select_sites(",".join(SITES), policy.net)
    read = activations(policy, data.frames, MAP)
    return data.moves, read[:, ::8, ::4, ::4], position_sums(policy, mazes[:1], sites, 2, 0)


def written(policy: MazePolicy) -> Any:
    maze, site = maze_of(), find_site(policy.net, MAP)
    drawn = torch.randn(1, 4, site.shape[0], 3, 3, generator=torch.Generator().manual_seed(0))
    found = Directions(site, 16.0, {MOUSE: {READOUT: drawn}}, {}, {}, np.ones(1))
    moves, seen = activations_of(policy, maze.observations()[:3], [MAP])
    return moves, seen[MAP][:, ::8], LevelWriter(policy, PartialNetwork(policy.net), maze, 2, 0).row([found], (1.0,))


@pytest.mark.parametrize("measure", [edited, swept, recorded, planned, probed, written, shown])
def test_numbers_are_those_of_the_processor(
    measure: Callable[[MazePolicy], Any], elsewhere: tuple[MazePolicy, float], random_policy: MazePolicy
) -> None:
    policy, tolerance = elsewhere
    check_same(measure(policy), measure(random_policy), tolerance)


def check_same(found: Any, expected: Any, tolerance: float) -> None:
    """Numbers within the tolerance, relative and absolute, and words the same."""
    there, here = (list(numbers(part)) for part in (found, expected))
    assert len(there) == len(here) >= 5
    assert [each for each in there if isinstance(each, str)] == [each for each in here if isinstance(each, str)]
    pairs = np.array([pair for pair in zip(there, here, strict=True) if not isinstance(pair[0], str)])
    np.testing.assert_allclose(*pairs.T, rtol=tolerance, atol=tolerance, equal_nan=True)


def test_levels_in_one_batch_have_the_numbers_that_each_has_alone(
    elsewhere: tuple[MazePolicy, float], random_policy: MazePolicy
) -> None:
    """Under every condition; a batch rounds otherwise than a level alone, so this is no matter of bits."""
    policy, _ = elsewhere
    every = tuple(name for name in CONDITIONS if name != EDIT)
    spec = SweepSpec("random", "0" * 64, (LEVEL, 208), SITES[1:], conditions=every, horizon=32, episodes=0)
    units = [unit for level in spec.levels for unit in split(level, spec.keys(level))]
    batches = batched(units, spec.levels, len(spec.levels))
    assert len(batches) == len(units) // 2
    there = {result.unit: result for batch in batches for result in run_batch(policy, batch, spec)}
    for unit in units:
        found, alone = ((result.rows, result.sums) for result in (there[unit], run_unit(random_policy, unit, spec)))
        check_same(found, alone, 1e-4)


def test_a_tensor_left_behind_is_found(elsewhere: tuple[MazePolicy, float]) -> None:
    """So the tests above can fail: on no device does the network take frames, or an edit a tensor, of the processor."""
    policy, _ = elsewhere
    x, own = to_input(maze_of().observations()[:2]), HookedPolicy(policy.net)
    with pytest.raises((Misplaced, RuntimeError)):
        policy.net(x)
    with pytest.raises((Misplaced, InputError)):
        own.run(x, {MAP: lambda value: value + torch.ones(value.shape)})
    with pytest.raises((RuntimeError, TypeError)):
        policy.net(x.to(device_of(policy.net)))[0].numpy()
    logits, values, seen = own.run(x, capture=[MAP])
    assert {each.device.type for each in (logits, values, seen[MAP])} == {"cpu"}


def test_every_command_puts_its_network_on_the_device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planning stands for all that share :func:`on_device`; what it stores says where it was computed."""
    from steering.planning.run import PlanningOptions, run_planning

    seen: list[str] = []
    ran = PartialNetwork.clean
    monkeypatch.setattr(
        PartialNetwork, "clean", lambda self, x: [seen.append(device_of(self.net).type), ran(self, x)][1]
    )
    with second_device() as device, _undone():
        monkeypatch.setattr("agents.hardware.check_device", lambda name: {"cuda": device}[name])
        options = PlanningOptions("region5", tmp_path / "run", "26", kinds=("cheese",), pairs=1, maps=0, device="cuda")
        found = run_planning(options)
    assert found.settings.device == device.type and set(seen) == {device.type}
    monkeypatch.undo()
    with pytest.raises(InputError, match='^.*run holds results with device "lazy", now asked: "cpu"; choose another'):
        run_planning(dataclasses.replace(options, device="cpu"))


@pytest.mark.skipif(GPU, reason="there is a GPU here")
@pytest.mark.parametrize("command", ["layer-sweep", "probe", "planning", "write-moves", "replicate", "train"])
def test_a_gpu_that_is_not_here_is_one_line(command: str, tmp_path: Path) -> None:
    asked = mazesteer(command, "--device", "cuda", "--out", tmp_path / "run")
    assert asked.returncode == 2 and len(asked.stderr.strip().splitlines()) == 1
    assert "torch sees 0 CUDA devices here; use --device cpu" in asked.stderr
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["abacus", "meta", "cuda:", "", "cuda:99"])
def test_a_device_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="does not exist|is not supported|torch sees"):
        check_device(name)


def test_auto_is_the_gpu_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for count, kind in ((0, "cpu"), (2, "cuda")):
        monkeypatch.setattr(torch.cuda, "device_count", lambda count=count: count)
        assert device_named("auto").type == kind and check_device("auto").type == kind
    assert str(check_device("cuda:1")) == "cuda:1"
    with pytest.raises(InputError, match="'cuda:2': torch sees 2 CUDA devices here"):
        check_device("cuda:2")


def test_a_run_stays_on_the_kind_of_device_that_it_was_begun_on(tmp_path: Path) -> None:
    """Runs of earlier versions, which say nothing of it, were on the processor."""
    spec = SweepSpec("a", "0" * 64, (1,), ("input",))
    for number, first in enumerate(("cpu", "cuda")):
        other = {"cpu": "cuda", "cuda": "cpu"}[first]
        with contextlib.ExitStack() as stack:
            (tmp_path / str(number)).mkdir()
            store = stack.enter_context(Store.open(tmp_path / str(number)))
            store.claim(dataclasses.replace(spec, device=first).shared())
            with pytest.raises(InputError, match=f'holds results with device "{first}", now asked: "{other}"'):
                store.claim(dataclasses.replace(spec, device=other).shared())
    old = tmp_path / "old"
    old.mkdir()
    with Store.open(old) as store:
        store.claim({name: value for name, value in spec.shared().items() if name != "device"})
    with (
        Store.open(old) as store,
        pytest.raises(InputError, match='holds results with device "cpu", now asked: "cuda"'),
    ):
        store.claim(dataclasses.replace(spec, device="cuda").shared())
    with Store.open(old) as store:
        store.claim(spec.shared())


def test_what_is_stored_keeps_its_digest() -> None:
    """Rows of planning are found by one; those stored before there was a device are found still."""
    settings = PlanningSettings(("input",), (1, 2), 8, 5, 0, "hard", 1)
    before = "0cb6de0bb27b2032a8f4d5829e5735ea64ca4095b2faa39942fc54f285bae733"
    assert basis_of(settings, "cheese cheese", ("levels", "maps")) == before
    assert basis_of(dataclasses.replace(settings, device="cuda"), "cheese cheese", ("levels", "maps")) == before


def test_the_second_device_computes_like_the_processor() -> None:
    with second_device() as device:
        x = torch.arange(12.0).reshape(3, 4)
        y = x.to(device)
        assert isinstance(y, SecondTensor) and y.device == device and not isinstance(x + 1, SecondTensor)
        y[:, [1, 2]] = 0.0
        assert y.cpu().tolist() == [[0, 0, 0, 3], [4, 0, 0, 7], [8, 0, 0, 11]] and float(y.sum()) == 33
        assert isinstance(torch.zeros(2, device=device) + 1, SecondTensor) and y[torch.tensor([1])].cpu()[0, 3] == 7


def test_gpus_asked_of_a_cluster_are_used(tmp_path: Path) -> None:
    """What its machines have is not known here; on this one a GPU must be seen."""
    said = {"levels": "1", "n_levels": None, "sites": "input", "conditions": ("clean",), "coefficients": (1.0,)}
    drawn = {"horizon": 1, "seed": 0, "mode": "hard", "random_draws": 1, "episodes": 0, "workers": None}
    options = SweepOptions("region5", out=tmp_path / "run", executor="dask", **said, **drawn)  # type: ignore[arg-type]

    def asked(device: str, address: str | None, gpus: float) -> str:
        cluster = Cluster(address, gpus_per_unit=gpus)
        return str(device_of_units(dataclasses.replace(options, device=device, cluster=cluster)))

    there = "tcp://10.0.0.5:8786"
    assert asked("cpu", there, 0) == "cpu" and asked("cuda:1", there, 0) == "cuda:1"
    assert asked("auto", there, 0.25) == asked("cuda", there, 1) == "cuda"
    with pytest.raises(InputError, match="^--gpus-per-unit 1: units would not use them; add --device cuda"):
        asked("cpu", there, 1)
    if not GPU:
        with pytest.raises(InputError, match="torch sees 0 CUDA devices here"):
            asked("cuda", None, 1)
