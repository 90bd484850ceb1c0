"""The page in a real browser: all that a person does there, by mouse and by keys, with the numbers of evaluate."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agents.networks.policy import MazePolicy
from envs.maze import Maze
from steering.app.inside.causal import causal_updates
from steering.app.session.context import Contexts
from steering.app.web.guard import Guard
from steering.experiments.exact import LevelEvaluator, evaluate
from steering.interventions.edits import ablate, subtract
from steering.interventions.vectors import SteeringVector, cheese_vector
from tests.helpers.browser import chromium
from tests.helpers.workbench import understood_by
from tests.helpers.workbench_browser import Bench, Due, holds, link
from tests.helpers.workbench_page import workbench

SUBTRACT = {"text": "subtract,vector=cheese,site=block2.res1.resadd,coefficient=1.0", "on": True}
QUIET: dict[str, Any] = {"asked": [], "edits": [SUBTRACT], "site": "embedder.block2.res1.resadd"}


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory that the server was started in."""
    return tmp_path_factory.mktemp("start")


@pytest.fixture(scope="module")
def opened(policy: MazePolicy, start: Path) -> Iterator[Bench]:
    """One page for all tests of this file; whatever one of them leaves, the next opens it anew."""
    with chromium() as browser, workbench(policy, start) as address:
        context = browser.new_context(viewport={"width": 1280, "height": 900}, color_scheme="light")
        yield Bench(context.new_page(), address)


@pytest.fixture
def bench(opened: Bench, small_maze: Maze) -> Iterator[Bench]:
    """The page with the small maze and one edit; at the end it has complained of nothing and asked nobody else."""
    opened.open(small_maze, **QUIET)
    yield opened
    opened.clean_of_complaints()


def test_it_opens_with_the_numbers_of_evaluate(bench: Bench, policy: MazePolicy) -> None:
    holds(bench, policy)


def test_the_cheese_is_dragged(bench: Bench, policy: MazePolicy) -> None:
    """The mouse button is held over several cells; the numbers at the end are those of where it was let go."""
    with bench.change():
        bench.drag((1, 1), (2, 2), (3, 2))
    assert bench.maze.cheese == (3, 2)
    holds(bench, policy)


def test_the_mouse_is_dragged(bench: Bench, policy: MazePolicy) -> None:
    with bench.change():
        bench.drag((0, 0), (0, 1), (0, 3))
    assert bench.maze.mouse == (0, 3)
    holds(bench, policy)


def test_cells_are_opened_and_walled_by_a_click(bench: Bench, policy: MazePolicy) -> None:
    with bench.change():
        bench.page.mouse.click(*bench.spot((0, 2)))
    assert not bench.maze.is_free((0, 2))
    with bench.change():
        bench.page.mouse.click(*bench.spot((1, 2)))
    assert bench.maze.is_free((1, 2))
    holds(bench, policy)


def test_keys_move_what_the_mouse_moves(bench: Bench, policy: MazePolicy) -> None:
    keys = bench.page.keyboard
    keys.press("g")
    for key in ("ArrowUp", "ArrowUp", "ArrowUp"):  # the first points at the mouse itself
        keys.press(key)
    with bench.change():
        keys.press("c")
    assert bench.maze.cheese == (0, 2)
    keys.press("ArrowRight")
    with bench.change():
        keys.press("w")
    assert bench.maze.is_free((1, 2))
    with bench.change():
        keys.press("m")
    assert bench.maze.mouse == (1, 2)
    with bench.change():
        keys.press("t")
    assert bench.state["maze"]["facing"] == "right"
    holds(bench, policy)


def test_a_maze_without_a_way_says_so_and_the_last_good_field_stays(bench: Bench, policy: MazePolicy) -> None:
    before = bench.numbers("steered")
    with bench.change():
        bench.page.mouse.click(*bench.spot((0, 1)))
    assert bench.page.locator("#workbench").get_attribute("data-problem") == "maze"
    assert "last good field stays" in bench.page.locator(".mz-said").inner_text()
    assert bench.numbers("steered")["probabilities"] == before["probabilities"]
    with bench.change():
        bench.page.keyboard.press("u")
    assert bench.page.locator(".mz-said").inner_text() == ""
    holds(bench, policy)


def test_undo_and_redo(bench: Bench, policy: MazePolicy) -> None:
    before = bench.state
    with bench.change():
        bench.drag((1, 1), (2, 2))
    after = bench.state
    with bench.change():
        bench.page.get_by_role("button", name="Undo").click()
    assert bench.state == before
    holds(bench, policy, "clean")
    with bench.change():
        bench.page.keyboard.press("Control+y")
    assert bench.state == after
    holds(bench, policy, "clean")


def test_levels_by_seed_by_rule_and_by_chance(bench: Bench) -> None:
    page = bench.page
    with bench.change():
        page.get_by_label("level (procgen's seed)").fill("54")
        page.keyboard.press("Enter")
    assert bench.maze == Maze.from_level(54) and page.get_by_text("level 54, ").is_visible()
    with bench.change():
        bench.drag(bench.maze.mouse, bench.maze.neighbours(bench.maze.mouse)[0])
    page.get_by_label("level (procgen's seed)").focus()
    with bench.change():
        page.keyboard.press("Enter")
    assert bench.maze == Maze.from_level(54), "the same number again brings the level back"
    page.locator(".mz-board").focus()
    with bench.change():
        page.keyboard.press("f")
    assert bench.maze.decision_square is not None
    first = bench.state["maze"]["level"]
    with bench.change():
        page.get_by_role("button", name="random level").click()
    assert bench.state["maze"]["level"] not in (None, first)


def test_the_library_opens_telling_mazes(bench: Bench) -> None:
    library = bench.page.get_by_label("library of telling mazes")
    names = library.locator("option").all_inner_texts()
    assert len(names) > 6
    with bench.change():
        library.select_option(index=3)
    assert bench.page.locator(".mz-said").inner_text().startswith(names[3])


def test_a_maze_is_copied_and_pasted_as_text(bench: Bench, policy: MazePolicy) -> None:
    page = bench.page
    page.keyboard.press("x")
    area = page.get_by_label("maze as text, top row first")
    shown = area.input_value()
    assert shown == bench.state["maze"]["ascii"]
    area.fill("one\ntwo")
    page.get_by_role("button", name="Use this text").click()
    assert "square" in page.get_by_role("dialog").inner_text()
    area.fill(shown.replace("C", ".").replace(".#.#...", ".#.#..C"))
    with bench.change():
        page.get_by_role("button", name="Use this text").click()
    assert bench.maze.cheese == (6, 4)
    holds(bench, policy, "clean")


def test_sites_are_chosen_in_the_diagram(bench: Bench) -> None:
    page = bench.page
    with bench.change():
        page.locator('[data-site="embedder.block3.res1.resadd"]').click()
    assert bench.state["site"] == "embedder.block3.res1.resadd"
    with bench.change():
        page.keyboard.press("]")
    assert bench.state["site"] != "embedder.block3.res1.resadd"
    with bench.change():
        page.keyboard.press("ArrowLeft")
    assert page.locator('[role=radio][data-site][aria-checked="true"]').count() == 1


def test_sites_are_coloured_by_the_blindness_of_this_maze(bench: Bench, policy: MazePolicy, small_maze: Maze) -> None:
    with bench.change():
        bench.page.get_by_label("colour of the sites").select_option("live")
    fills = bench.page.locator(".mz-network .mz-fill")
    shown = fills.evaluate_all("all => all.map((x) => Number(x.getAttribute('fill-opacity')))")
    sites = bench.page.evaluate("document.querySelector('#workbench').workbench.scene.hello.sites")
    names = [site["name"] for site in sites]
    for site in ("embedder.block1.conv", "embedder.block2.res1.resadd", "embedder.block3.res2.resadd"):
        due = evaluate(policy, small_maze, subtract(cheese_vector(policy, small_maze, site))).blindness
        assert due is not None and shown[names.index(site)] == pytest.approx(min(max(due, 0.0), 1.0), abs=2e-3)


def test_edits_are_changed_stacked_and_switched(bench: Bench, policy: MazePolicy) -> None:
    page = bench.page
    with bench.change():
        page.get_by_label("edit 1: coefficient in figures").fill("-2.5")
        page.keyboard.press("Enter")
    holds(bench, policy, "steered")
    with bench.change():
        page.get_by_label("edit 1: coefficient", exact=True).press("ArrowRight")
    assert "coefficient=-2.45" in bench.state["edits"][0]["text"]
    with bench.change():
        page.get_by_label("edit 1: channels").fill("0, 3, 5")
        page.keyboard.press("Enter")
    holds(bench, policy, "steered")
    with bench.change():
        page.get_by_label("add an edit").select_option(label="ablate around the cheese")
    assert len(bench.state["edits"]) == 2
    holds(bench, policy, "steered")
    with bench.change():
        page.get_by_label("edit 1 is on").uncheck()
    holds(bench, policy, "steered")
    page.locator(".mz-board").focus()
    page.keyboard.press("Escape")
    with bench.change():
        page.keyboard.press("e")
    assert [edit["on"] for edit in bench.state["edits"]] == [False, False]
    holds(bench, policy, "steered")
    with bench.change():
        page.get_by_label("remove edit 2").click()
    assert len(bench.state["edits"]) == 1


@pytest.mark.parametrize("kind", ["add", "patch", "ablate", "clamp"])
def test_every_kind_of_edit_is_there(bench: Bench, policy: MazePolicy, kind: str) -> None:
    with bench.change():
        bench.page.get_by_label("edit 1: kind").select_option(kind)
    assert bench.state["edits"][0]["text"].startswith(kind)
    holds(bench, policy, "steered")


def test_vectors_are_taken_elsewhere_and_put_in_places(bench: Bench, policy: MazePolicy) -> None:
    page = bench.page
    with bench.change():
        page.get_by_label("edit 1: taken", exact=True).select_option("mean")
    holds(bench, policy, "steered")
    with bench.change():
        page.get_by_label("edit 1: taken", exact=True).select_option("level:0")
    holds(bench, policy, "steered")
    page.get_by_label("edit 1: taken", exact=True).select_option("pick")
    with bench.change():
        page.mouse.click(*bench.spot((4, 2)))
    assert "taken=4+2" in bench.state["edits"][0]["text"]
    holds(bench, policy, "steered")
    with bench.change():
        page.get_by_label("edit 1: place", exact=True).select_option("cheese")
    holds(bench, policy, "steered")
    with bench.change():
        page.get_by_label("edit 1: vector", exact=True).select_option("random")
    holds(bench, policy, "steered")


def test_panels_are_hidden_and_shown(bench: Bench) -> None:
    page = bench.page
    with bench.change():
        page.get_by_role("checkbox", name="difference").uncheck()
    assert not page.locator("[data-panel=difference]").is_visible()
    page.locator(".mz-board").focus()
    with bench.change():
        page.keyboard.press("Shift+Digit4")
    assert page.locator("[data-panel=difference]").is_visible()
    with bench.change():
        page.get_by_label("the arrows' facing").select_option("right")
    assert bench.state["facing"] == "right"


def test_a_cell_pointed_at_tells_its_exact_numbers(bench: Bench, policy: MazePolicy, small_maze: Maze) -> None:
    bench.page.get_by_label("the arrows' facing").select_option("left")
    bench.settled()
    bench.page.mouse.move(*bench.spot((4, 2)))
    bench.page.locator(".mz-where").get_by_text("cell (4, 2)").wait_for()
    due = Due(policy, bench.state)
    index = small_maze.state_index((4, 2), 0)
    for panel in ("clean", "steered", "no_cheese"):
        cells = bench.page.locator(f'.mz-reading tr[data-run="{panel}"] td').all_inner_texts()
        field = due.field(panel)
        expected = [*field.probabilities[index], field.values[index]]
        assert [float(text.replace("−", "-")) for text in cells] == pytest.approx(expected, abs=6e-5)


def test_activations_channels_and_a_unit_set_by_a_click(bench: Bench, policy: MazePolicy, small_maze: Maze) -> None:
    page = bench.page
    with bench.change():
        page.get_by_role("tab", name="Activations").click()
    rows = page.locator(".mz-channelrow")
    assert rows.count() > 10
    texts = [row.split() for row in rows.all_inner_texts()]
    channel, effect = int(texts[0][0]), float(texts[0][1])
    assert [float(row[1]) for row in texts] == sorted((float(row[1]) for row in texts), reverse=True)
    evaluator = LevelEvaluator(policy, small_maze)
    (ablated,) = evaluator.fields([ablate(bench.state["site"], (channel,))])
    assert effect == pytest.approx(evaluator.outcome_of(ablated).tv_clean, abs=1e-4)
    with bench.change():
        rows.nth(0).get_by_role("button").first.click()
    assert bench.state["heat"] == {"kind": "channel", "channel": channel, "run": "clean"}
    for run in ("steered", "difference"):
        with bench.change():
            page.get_by_role("radio", name=run, exact=True).last.click()
    page.get_by_label("value that a clicked unit is set to").fill("7.5")
    with bench.change():
        page.locator("canvas.mz-heat").first.click(position={"x": 60, "y": 60})
    assert bench.state["edits"][1]["text"].startswith("clamp,") and "value=7.5" in bench.state["edits"][1]["text"]
    with bench.change():  # outcomes are written where they are seen
        page.get_by_role("tab", name="Panels").click()
    holds(bench, policy, "steered")


def test_the_causal_map_is_stepped_through(bench: Bench, policy: MazePolicy, small_maze: Maze, tmp_path: Path) -> None:
    """At its end it tells what whole places carry at the last site."""
    page = bench.page
    with bench.change():
        page.get_by_role("tab", name="Causal map").click()
    slider = page.get_by_label("site of the causal map")
    last = int(slider.get_attribute("max"))
    assert last > 10
    told = page.locator("[role=tabpanel]:visible .mz-heatlabel").all_inner_texts()
    slider.focus()
    page.keyboard.press("End")
    page.wait_for_function(
        "(before) => [...document.querySelectorAll('[role=tabpanel]:not([hidden]) .mz-heatlabel')]"
        ".map((x) => x.innerText).join() !== before",
        arg=",".join(told),
    )
    context = understood_by(Contexts(policy, tmp_path, 0), small_maze, asked=("causal",))
    *_, last_map = causal_updates(context)
    words = page.locator("[role=tabpanel]:visible .mz-heatlabel").nth(1).inner_text().replace("−", "-")
    shown = [float(number) for number in re.findall(r"-?[0-9]*\.[0-9]+", words)]
    cheese, mouse, _, _, rest = last_map.arrays["places"]
    assert shown == pytest.approx([cheese, mouse, rest], abs=2e-3)


def test_rollouts_are_played_and_filmed(bench: Bench, start: Path) -> None:
    page = bench.page
    page.keyboard.press("4")
    steps = page.locator(".mz-steps")
    page.wait_for_function("() => /^0 . [1-9]/.test(document.querySelector('.mz-steps').innerText)")
    page.keyboard.press(".")
    assert steps.inner_text().startswith("1 /")
    page.get_by_role("button", name="step back").click()
    page.get_by_role("button", name="Play", exact=True).click()
    page.wait_for_function("() => Number.parseInt(document.querySelector('.mz-steps').innerText) > 1")
    if page.get_by_role("button", name="Pause", exact=True).count():
        page.get_by_role("button", name="Pause", exact=True).click()
    page.keyboard.press("Home")
    assert steps.inner_text().startswith("0 /")
    page.get_by_role("button", name="Save as film").click()
    page.locator(".mz-said").get_by_text("Saved").wait_for()
    assert [path.suffix for path in start.iterdir()] == [".mp4"]


def test_what_is_taken_away_gives_this_view(bench: Bench, tmp_path: Path) -> None:
    page = bench.page
    page.get_by_role("tab", name="Take away").click()
    page.wait_for_function("() => document.querySelector('[aria-label=Python]').value.length > 100")
    assert "load_policy" in page.get_by_label("Python", exact=True).input_value()
    assert "mazesteer field region5" in page.get_by_label("Command line", exact=True).input_value()
    assert json.loads(page.get_by_label("JSON", exact=True).input_value())
    for name, suffix in (
        ("download the vector", ".safetensors"),
        ("PNG of steered", ".png"),
        ("SVG of difference", ".svg"),
    ):
        with page.expect_download() as held:
            page.get_by_role("button", name=name).click()
        path = tmp_path / held.value.suggested_filename
        held.value.save_as(path)
        assert path.suffix == suffix and path.stat().st_size > 1_000
        if suffix == ".safetensors":
            vector = SteeringVector.load(path)
            assert vector.site == "embedder.block2.res1.resadd"


def test_the_link_opens_the_same_view(bench: Bench, policy: MazePolicy) -> None:
    page = bench.page
    with bench.change():
        bench.drag((1, 1), (3, 2))
    page.wait_for_timeout(400)  # the address follows when it is quiet
    shown, address = bench.state, page.url
    other = page.context.new_page()
    other.goto(address)
    other.wait_for_function("() => document.querySelector('#workbench')?.dataset.ready === 'true'")
    again = other.evaluate("document.querySelector('#workbench').workbench.state")
    other.close()
    assert {**again, "asked": []} == {**shown, "asked": []}
    holds(bench, policy, "clean")


def test_a_list_of_keys_and_light_and_dark(bench: Bench) -> None:
    page = bench.page
    page.keyboard.press("?")
    assert page.get_by_role("dialog", name="Keys").is_visible()
    page.keyboard.press("Escape")
    theme = page.locator("#workbench").get_attribute("data-theme")
    page.keyboard.press("d")
    assert page.locator("#workbench").get_attribute("data-theme") != theme
    page.keyboard.press("d")


def test_every_control_has_a_name(bench: Bench) -> None:
    for tab in ("Panels", "Activations", "Causal map", "Rollouts", "Curve", "Take away"):
        bench.page.get_by_role("tab", name=tab).click()
        nameless = bench.page.evaluate(
            "() => [...document.querySelectorAll('button, input, select, textarea, canvas, [role=radio], [role=tab]')]"
            ".filter((x) => x.checkVisibility() && !(x.getAttribute('aria-label') || x.innerText?.trim() || x.title"
            " || x.labels?.[0]?.innerText.trim() || x.getAttribute('aria-hidden') || x.classList.contains('mz-strip')))"
            ".map((x) => x.outerHTML)"
        )
        assert nameless == []


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (820, 1180)])
def test_it_fits_a_screen_and_a_tablet(bench: Bench, width: int, height: int) -> None:
    page = bench.page
    page.set_viewport_size({"width": width, "height": height})
    try:
        bench.settled()
        wide, shown = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert wide <= shown, "the page is wider than the screen"
        box = page.locator(".mz-board").bounding_box()
        assert box["width"] >= 380 and box["y"] + box["height"] <= height, "the maze is not on the first screen"
    finally:
        page.set_viewport_size({"width": 1280, "height": 900})


def test_a_server_that_was_away_is_found_again(
    opened: Bench, policy: MazePolicy, small_maze: Maze, tmp_path: Path
) -> None:
    """What was changed while it was away is answered when it is back."""
    page = opened.page.context.new_page()
    try:
        with workbench(policy, tmp_path) as address:
            bench = Bench(page, address)
            bench.open(small_maze, **QUIET)
        page.locator("#workbench[data-connection=lost]").wait_for()
        assert "connection lost" in page.locator(".mz-linked").inner_text()
        bench.drag((1, 1), (3, 2))
        with workbench(policy, tmp_path, port=int(address.rstrip("/").rpartition(":")[2])):
            page.locator("#workbench[data-connection=open]").wait_for()
            page.locator("#workbench[data-ready=true]").wait_for()
            assert bench.maze.cheese == (3, 2)
            holds(bench, policy)
    finally:
        page.close()


def test_a_page_with_the_token_in_its_address_is_let_in(
    opened: Bench, policy: MazePolicy, small_maze: Maze, tmp_path: Path
) -> None:
    page = opened.page.context.new_page()
    try:
        with workbench(policy, tmp_path, Guard(token="s3cret")) as address:
            bench = Bench(page, f"{address}?token=s3cret")
            bench.open(small_maze, **QUIET)
            holds(bench, policy, "clean")
            assert bench.complaints == []
            page.goto("about:blank")
            refused = page.goto(address)
            assert refused is not None and refused.status == 403 and "lacks the token" in page.inner_text("body")
    finally:
        page.close()


@pytest.mark.parametrize(
    ("part", "said", "kept"),
    [
        ({"site": "nowhere"}, "no site 'nowhere'", True),
        ({"edits": [{"text": "subtract,vector=gone.safetensors", "on": True}]}, "no vector file", True),
        ({"edits": ["ablate"]}, "no state that can be read", False),
        ({"maze": {"ascii": "M.\n.C"}}, "ASCII maze: 2 rows", False),
        ({"horizon": -3}, "horizon", False),
    ],
)
def test_a_link_that_cannot_be_shown_says_so_and_the_page_is_there(
    opened: Bench, policy: MazePolicy, small_maze: Maze, part: dict[str, Any], said: str, kept: bool
) -> None:
    bench = opened
    bench.open(small_maze, **QUIET)
    quiet = {**bench.state, "panels": ["clean", "steered"], **part}
    bench.page.goto("about:blank")
    bench.page.goto(bench.address + link(quiet))
    bench.page.wait_for_function("() => document.querySelector('#workbench')?.workbench?.scene.maze")
    assert said in bench.page.locator(".mz-said").inner_text()
    assert (bench.maze == small_maze) == kept
    opened.clean_of_complaints()


def test_the_focus_stays_where_it_was_when_edits_change(bench: Bench) -> None:
    def focused() -> str:
        found: str = bench.page.evaluate("document.activeElement.getAttribute('aria-label')")
        return found

    with bench.change():
        bench.page.get_by_label("add an edit", exact=True).select_option("ablate,place=cheese")
    for name, press, then in (
        ("edit 2: kind", "ArrowUp", "edit 2: kind"),
        ("move edit 2 up", "Enter", "move edit 1 up"),
        ("remove edit 2", "Enter", "remove edit 1"),
        ("remove edit 1", "Enter", "add an edit"),
    ):
        with bench.change():
            bench.page.get_by_label(name, exact=True).press(press)
        assert focused() == then


def test_a_unit_set_at_one_site_leaves_that_of_another(bench: Bench) -> None:
    clamp = {"text": "clamp,site=block1.conv,index=0+8+8,value=1", "on": True}
    bench.open(bench.maze, **QUIET | {"edits": [clamp], "site": "embedder.block3.conv", "panels": ["clean"]})
    with bench.change():
        bench.page.keyboard.press("2")
    with bench.change():
        bench.page.get_by_role("radio", name="channel", exact=True).click()
    canvas = bench.page.locator(".mz-heat").first
    canvas.focus()
    with bench.change():
        canvas.press("ArrowLeft")
        canvas.press("ArrowRight")
        canvas.press("Enter")
    first, second = (edit["text"] for edit in bench.state["edits"])
    assert (first, second) == (clamp["text"], "clamp,site=block3.conv,index=0+8+8,value=5")


def test_a_text_that_is_far_too_large_is_told_of_and_sent_nowhere(bench: Bench, small_maze: Maze) -> None:
    bench.page.evaluate(
        "() => { const held = new DataTransfer(); held.setData('text', Array(1100).fill('.'.repeat(1100)).join('\\n'));"
        " document.dispatchEvent(new ClipboardEvent('paste', { clipboardData: held })); }"
    )
    assert "at most 25" in bench.page.locator(".mz-said").inner_text()
    assert bench.maze == small_maze


def test_what_is_no_level_is_told_of_and_changes_nothing(bench: Bench) -> None:
    field, before = bench.page.get_by_label("level (procgen's seed)"), bench.state
    for typed in ("-1", "1.5", "99999999999"):
        field.fill(typed)
        field.press("Enter")
        assert "whole number" in bench.page.locator(".mz-said").inner_text()
        assert (bench.state, field.input_value()) == (before, str(before["maze"]["level"] or ""))


def test_the_curve_fits_a_page_that_became_narrow(bench: Bench) -> None:
    size = bench.page.viewport_size
    try:
        with bench.change():
            bench.page.keyboard.press("5")
        bench.page.locator(".mz-plot .main-svg").first.wait_for()
        bench.page.keyboard.press("1")
        bench.page.set_viewport_size({"width": 640, "height": 900})
        bench.page.keyboard.press("5")
        bench.page.wait_for_function(
            "() => document.querySelector('.mz-plot .main-svg').getBoundingClientRect().right <= innerWidth"
        )
        assert bench.page.evaluate("document.documentElement.scrollWidth") <= 640
    finally:
        bench.page.set_viewport_size(size)


def test_levels_wished_for_in_quick_order_are_counted(bench: Bench) -> None:
    bench.open(Maze.from_level(26), **QUIET | {"panels": ["clean"]})
    with bench.change():
        for _ in range(3):
            bench.page.keyboard.press("n")
        bench.page.wait_for_function("() => document.querySelector('#workbench').workbench.state.maze.level === 29")
