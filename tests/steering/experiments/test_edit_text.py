"""Edits as text: what each does, its way to an intervention's own JSON and back, and mistakes in one line."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.networks.policy import MazePolicy, to_input
from envs.errors import InputError
from envs.maze import Maze
from steering.experiments.edit_fields import CELLS, FIELDS, TAKEN, place_blocks
from steering.experiments.edit_text import EditText, edited, read_edits
from steering.experiments.level_conditions import intervention_named
from steering.interventions.edits import Intervention, ablate, add, clamp, patch, patch_place, subtract
from steering.interventions.hooks import HookedPolicy
from steering.interventions.places import blocks_around, units_in
from steering.interventions.sites import find_site
from steering.interventions.vectors import (
    SteeringVector,
    activation,
    cheese_vector,
    mean_activation,
    mean_cheese_vectors,
    top_right_vectors,
)

SITE = "embedder.block2.res1.resadd"
FILED = SteeringVector(SITE, np.arange(32 * 16 * 16).reshape(32, 16, 16))
DIGESTS = {FILED.digest: FILED}


def one(text: str) -> EditText:
    """An edit whose vectors, where it names none, are known by digest."""
    return EditText.parse(text, DIGESTS.__getitem__)


def test_each_kind_is_the_intervention_of_its_name(policy: MazePolicy, maze: Maze) -> None:
    cheese, block2 = cheese_vector(policy, maze, SITE), find_site(policy.net, SITE)
    assert maze.cheese is not None
    blocks = [(int(r), int(c)) for r, c in np.argwhere(blocks_around(maze, [maze.cheese]))]
    for text, expected in {
        "subtract": subtract(cheese),
        "subtract,vector=cheese,coefficient=1.5": subtract(cheese, 1.5),
        "add,site=block2.res1.resadd": add(cheese),
        f"add,vector={FILED.digest}": add(FILED),
        "patch,vector=activation": patch(activation(policy, maze, SITE)),
        "patch,vector=activation-mean,channels=3+7": patch(mean_activation(policy, maze, SITE), (3, 7)),
        "patch,vector=activation,place=cheese": patch_place(block2, activation(policy, maze, SITE), blocks),
        "ablate": ablate(SITE),
        "ablate,channels=3+7": ablate(SITE, (3, 7)),
        "clamp,index=5+4+9,value=5.6": clamp(SITE, (5, 4, 9), 5.6),
        "subtract,taken=mean": subtract(mean_cheese_vectors(policy, maze, [SITE])[SITE]),
        "subtract,taken=start,seed=0,vector=random": intervention_named(policy, maze, "random", SITE, 1.0, 0),
        "subtract,vector=random,seed=7,coefficient=2": intervention_named(policy, maze, "random", SITE, 2.0, 7),
        "add,taken=level:54": add(cheese_vector(policy, Maze.from_level(54), SITE)),
        "add,vector=top-right,taken=level:26": add(top_right_vectors(policy, Maze.from_level(26), [SITE])[SITE]),
        "patch,vector=activation,taken=0+2": patch(activation(policy, maze, SITE, (0, 2))),
        "patch,vector=activation,taken=level:54": patch(activation(policy, Maze.from_level(54), SITE)),
    }.items():
        assert one(text).on(policy, maze, SITE) == expected, text


def test_channels_and_a_place_leave_the_rest_of_the_vector_out(policy: MazePolicy, maze: Maze) -> None:
    cheese, site = cheese_vector(policy, maze, SITE).tensor, find_site(policy.net, SITE)
    assert maze.cheese is not None and maze.decision_square is not None
    cells = dict(zip(CELLS, (maze.mouse, maze.cheese, maze.decision_square, maze.corner), strict=True))
    for place, cell in {**cells, "0+0": (0, 0)}.items():
        found = one(f"subtract,channels=1+3,place={place}").on(policy, maze, SITE)
        (vector,) = found.vectors.values()
        kept = np.zeros((32, 16, 16), dtype=bool)
        kept[[1, 3]] = units_in(site, blocks_around(maze, [cell]))
        assert torch.equal(vector.tensor, torch.where(torch.from_numpy(kept), cheese, 0.0))
        assert "channels 1,3 and place" in found.describe() and vector.agents == {policy.sha256}


def test_noise_has_the_norm_of_the_vector_taken_there(policy: MazePolicy, maze: Maze) -> None:
    for taken in ("start", "0+2", "level:54"):
        (cheese,), (noise, again, other) = (
            [one(f"add,taken={taken},vector={name}").vector_in(policy, maze, SITE) for name in names]
            for names in (("cheese",), ("random", "random", "random,seed=1"))
        )
        assert noise == again and noise.digest != other.digest
        assert noise.norm == pytest.approx(cheese.norm, rel=1e-6) == other.norm


def test_the_places_of_cheese_start_route_and_the_rest_are_the_picture(maze: Maze) -> None:
    for world in (maze, Maze.from_level(8)):
        assert world.cheese is not None
        cheese, start, route, rest = (place_blocks(name, world) for name in ("cheese", "start", "route", "elsewhere"))
        assert not (route & (cheese | start)).any() and not (rest & (cheese | start | route)).any()
        assert (cheese | start | route | rest).all()
        way = [place_blocks(f"{x}+{y}", world) for x, y in world.path(world.mouse, world.cheese)]
        assert (np.any(way, axis=0) == (cheese | start | route)).all()


def test_a_vector_taken_once_gives_the_same_edit(policy: MazePolicy, maze: Maze) -> None:
    for text in ("add,vector=random,seed=2,place=route", "subtract,taken=mean,channels=4"):
        edit = one(text)
        kept = dataclasses.replace(edit, vector=edit.vector_in(policy, maze, SITE))
        assert kept.on(policy, maze) == edit.on(policy, maze, SITE)


def test_ablating_a_place_puts_zeros_there_alone(random_policy: MazePolicy, maze: Maze) -> None:
    x = to_input(maze.observations(maze.states[:2]))
    site = find_site(random_policy.net, SITE)
    edit = one("ablate,place=start").on(random_policy, maze, SITE)
    clean, cut = (HookedPolicy(random_policy.net).run(x, e.by_site(), [SITE])[2][SITE] for e in (Intervention(), edit))
    there = torch.from_numpy(units_in(site, blocks_around(maze, [maze.mouse])))
    assert (cut[..., there] == 0).all() and torch.equal(cut[..., ~there], clean[..., ~there])
    assert (clean[..., there] != 0).any()


def test_edits_act_in_the_order_typed(random_policy: MazePolicy, maze: Maze) -> None:
    x = to_input(maze.observations(maze.states[:1]))
    edits = [one("clamp,index=0+0+0,value=5"), one("ablate,channels=0")]
    for order, last in ((edits, 0.0), (edits[::-1], 5.0)):
        made = edited(order, random_policy, maze, SITE).by_site()
        seen = HookedPolicy(random_policy.net).run(x, made, [SITE])[2][SITE]
        assert float(seen[0, 0, 0, 0]) == last


CHANNELS = st.lists(st.integers(0, 31), min_size=1, max_size=4, unique=True).map(tuple)
PLACED = st.sampled_from(["start", "corner", "0+0", "mouse", "elsewhere"])
NUMBERS = st.floats(-1e6, 1e6)
VECTORS = st.sampled_from([*TAKEN, FILED])


@st.composite
def edits(draw: st.DrawFn) -> EditText:
    """Any edit that fits block 2."""
    kind = draw(st.sampled_from(list(FIELDS)))
    named: dict[str, object] = {"site": draw(st.sampled_from([None, SITE]))}
    if kind == "clamp":
        index = draw(st.tuples(st.integers(0, 31), st.integers(0, 15), st.integers(0, 15)))
        return EditText(kind, index=index, value=draw(NUMBERS), **named)  # type: ignore[arg-type]
    if kind != "ablate":
        named["vector"] = vector = draw(VECTORS)
        if vector in ("cheese", "activation", "random"):
            named["taken"] = draw(st.sampled_from(["start", "mean", "0+1", "level:26"]))
        if vector == "random":
            named["seed"] = draw(st.integers(0, 2**63 - 1))
    if kind in ("subtract", "add"):
        named["coefficient"] = draw(NUMBERS)
    parts = draw(st.sampled_from([(), ("channels",), ("place",), ("channels", "place")]))
    if kind in ("patch", "ablate"):
        parts = parts[:1]
    named |= {"channels": draw(CHANNELS)} if "channels" in parts else {}
    named |= {"place": draw(PLACED)} if "place" in parts else {}
    return EditText(kind, **named)  # type: ignore[arg-type]


@settings(max_examples=100, deadline=None, derandomize=True)
@given(edits())
def test_a_text_is_read_back_as_the_edit_it_is_of(edit: EditText) -> None:
    assert one(str(edit)) == edit
    assert str(one(str(edit))) == str(edit)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(texts=st.lists(edits(), min_size=1, max_size=3))
def test_what_is_typed_goes_to_the_interventions_own_json_and_back(
    random_policy: MazePolicy, small_maze: Maze, texts: list[EditText]
) -> None:
    if any(edit.vector == "top-right" for edit in texts):  # the small maze is one whose picture has room for it
        assert small_maze.state.margin > 0
    made = edited([one(str(edit)) for edit in texts], random_policy, small_maze, SITE)
    again = Intervention.from_json(json.loads(json.dumps(made.to_json())), made.vectors)
    assert again == made == edited(texts, random_policy, small_maze, SITE)


MISTAKES = [
    ("", "begin with the kind of edit"),
    ("subtrac", "did you mean 'subtract'"),
    ("subtract,relu3", "'relu3' is no NAME=VALUE"),
    (
        "subtract,sites=relu3",
        "subtract has no 'sites'; it takes vector, taken, seed, site, coefficient, channels",
    ),
    ("ablate,vector=cheese", "ablate has no 'vector'"),
    ("ablate,site=fc,site=relu3", "site is given twice"),
    ("ablate,site=rellu3", "did you mean"),
    ("subtract,vector=chees", "no file 'chees', and no vector of that name; did you mean 'cheese'"),
    ("subtract,vector=" + 300 * "x", "no file"),
    ("subtract,coefficient=1,5", "'5' is no NAME=VALUE"),
    ("subtract,coefficient=one", "coefficient=one: write a number from -1,000,000 to 1,000,000"),
    ("subtract,coefficient=nan", "coefficient=nan: write a number"),
    ("subtract,coefficient=2e6", "write a number from"),
    ("patch", "patch needs vector=: add it"),
    ("clamp,site=fc,index=3", "clamp needs value="),
    ("clamp,site=fc,index=3,value=nan", "value=nan: write a number"),
    ("clamp,site=fc,index=3+4,value=1", "index 3.4 is not in the 256 of embedder.fc"),
    ("clamp,site=fc,index=-3,value=1", "joined by"),
    ("ablate,channels=3-7", "channels=3-7: write numbers from 0 up joined by"),
    ("ablate,channels=3+3", "give each once"),
    ("ablate,site=fc,channels=256", "embedder.fc has channels 0 to 255, not 256"),
    ("ablate,place=there", "write start, cheese, decision, corner, mouse, route, elsewhere or a cell X.Y"),
    ("ablate,site=relu3,place=route", "place=route: no block lies between those of mouse and cheese"),
    ("ablate,taken=mean", "ablate has no 'taken'"),
    ("add,taken=there", "taken=there: write start, mean, a cell X.Y or another level, level:N"),
    ("add,taken=level:9999999999", "levels are the whole numbers 0 to"),
    ("add,site=relu3,taken=1+5", "taken=1.5: the mouse cannot stand there"),
    ("add,site=relu3,taken=24+24", "taken=24.24: the mouse cannot stand there"),
    ("add,vector=cheese-mean,taken=mean", "cheese-mean is averaged over states already; write vector=cheese,taken="),
    ("add,vector=top-right,taken=mean", "top-right is taken at the mouse's start; write start or level:N"),
    ("add,vector=some.safetensors,taken=mean", "a file has its vector already; leave out taken="),
    ("add,seed=3", "seed= belongs to vector=random"),
    ("add,vector=random,seed=-3", "seed=-3: write a whole number from 0 up"),
    ("add,vector=random,seed=9999999999999999999", "seed"),
    ("ablate,site=fc,place=start", "is no map"),
    ("ablate,site=relu3,place=24+24", "not in this"),
    ("ablate,channels=1,place=start", "not both"),
    ("ablate", "it has no site; add site=NAME, or --site"),
    ("ablate" + 2000 * ",", "characters, at most"),
]


@pytest.mark.parametrize(("text", "says"), MISTAKES, ids=[text[:40] for text, _ in MISTAKES])
def test_a_mistake_is_one_line_that_begins_with_the_edit(
    policy: MazePolicy, small_maze: Maze, text: str, says: str
) -> None:
    with pytest.raises(InputError, match=says) as caught:
        edited(read_edits([text], policy), policy, small_maze)
    assert str(caught.value).startswith("--edit '") and "\n" not in str(caught.value) and len(str(caught.value)) < 2500


def test_a_maze_may_lack_the_place_and_a_file_has_its_site(
    policy: MazePolicy, small_maze: Maze, tmp_path: Path
) -> None:
    bare = small_maze.without_cheese()
    for text, says in (("ablate,place=cheese", "has no cheese"), ("ablate,place=decision", "no decision square"),
                       ("subtract", "no cheese; take it from a level that has one")):  # fmt: skip
        with pytest.raises(InputError, match=says):
            one(text).on(policy, bare, SITE)
    for text, says in (("ablate,place=route", "no block lies between"), ("add,taken=1+5", "cannot stand there")):
        with pytest.raises(InputError, match=f"maze of one's own: .*{says}"):
            one(text).check_maze(small_maze)
    one("add,taken=level:4,vector=top-right,place=elsewhere").check_maze(small_maze)
    path = tmp_path / "v.safetensors"
    FILED.save(path)
    (found,) = read_edits([f"add,vector={path}"], policy, foreign=True)
    assert found.fixed == SITE and found.on(policy, small_maze, "fc") == add(FILED)
    with pytest.raises(InputError, match="the vector is of .*, not of fc; leave out site="):
        read_edits([f"add,vector={path},site=fc"], policy, foreign=True)
    with pytest.raises(InputError, match="or add --foreign-vectors"):
        read_edits([f"add,vector={path}"], policy)
    with pytest.raises(InputError, match="give at most 64"):
        read_edits(["ablate"] * 65, policy)
