"""The workbench's page in a real browser, driven by mouse and keys, and what its numbers are due to be."""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from agents.networks.policy import MazePolicy
from envs.maze import Cell, Maze
from steering.app.session.state import MazeText
from steering.experiments.edit_text import edited, read_edits
from steering.experiments.exact import LevelEvaluator, StatePolicy
from steering.experiments.outcome import Outcome

RIM = 0.35  # cells that the page shows around a maze, as in picture.js
PATIENCE = 120_000  # milliseconds; the machine may be busy


def link(state: dict[str, Any]) -> str:
    """The end of an address that opens the page with this state; parts that it lacks are the page's own."""
    return "#" + base64.urlsafe_b64encode(json.dumps(state).encode()).decode().rstrip("=")


class Bench:
    """One page of the workbench."""

    def __init__(self, page: Any, address: str) -> None:
        self.page, self.address = page, address
        self.complaints: list[str] = []
        self.asked: list[str] = []
        page.set_default_timeout(PATIENCE)
        page.on("console", lambda m: self.complaints.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", lambda request: self.asked.append(request.url))
        page.on("websocket", lambda socket: self.asked.append(socket.url))

    def open(self, maze: Maze | None = None, **state: Any) -> None:
        """Open it with a maze and parts of a state."""
        if maze is not None:
            text = MazeText.of(maze)
            state["maze"] = {"ascii": text.ascii, "mode": text.mode, "facing": text.facing, "level": text.level}
        self.page.goto("about:blank")
        self.page.goto(self.address + (link(state) if state else ""))
        if "curve" not in state.get("asked", ["curve"]):
            self.page.get_by_label("colour of the sites").select_option(
                "none"
            )  # measured for each state, which takes long
        self.settled()

    def settled(self) -> None:
        """Wait until everything for the newest state was answered, or refused, and drawn."""
        self.page.wait_for_function(
            "() => { const root = document.querySelector('#workbench');"
            " return root?.workbench?.state && ['true', 'refused'].includes(root.dataset.ready)"
            " && root.workbench.sent > (window.mzSettled ?? -1)"
            " && (root.dataset.ready === 'refused' || Number(root.dataset.seq) === root.workbench.sent); }"
        )
        self.page.evaluate("() => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn)))")

    @contextlib.contextmanager
    def change(self) -> Iterator[None]:
        """Inside, something is done that makes a new state; at the end it is answered."""
        self.page.evaluate("() => { window.mzSettled = document.querySelector('#workbench').workbench.sent; }")
        yield
        self.settled()
        self.page.evaluate("() => { window.mzSettled = -1; }")

    @property
    def state(self) -> dict[str, Any]:
        """The state that the page owns."""
        state: dict[str, Any] = self.page.evaluate("document.querySelector('#workbench').workbench.state")
        return state

    @property
    def maze(self) -> Maze:
        """The maze of the state."""
        told = self.state["maze"]
        return MazeText(**told).made()

    def numbers(self, panel: str) -> dict[str, Any]:
        """What the page holds of a panel: probabilities, values, outcome, occupancy."""
        found: dict[str, Any] = self.page.evaluate(
            "(panel) => document.querySelector('#workbench').workbench.fields[panel]", panel
        )
        return found

    def outcome_text(self, panel: str, field: str) -> str:
        """A number as it stands below a panel."""
        text: str = self.page.locator(f'[data-panel={panel}] [data-field="{field}"]').inner_text()
        return text

    def spot(self, cell: Cell, canvas: str = ".mz-board") -> tuple[float, float]:
        """The middle of a cell on the screen."""
        self.page.locator(canvas).scroll_into_view_if_needed()
        box = self.page.locator(canvas).bounding_box()
        dim, world = (
            self.maze.dim,
            self.page.evaluate("document.querySelector('#workbench').workbench.scene.maze.world"),
        )
        shown = min(dim + 2 * RIM, world)
        unit, rim = box["width"] / shown, (shown - dim) / 2
        return box["x"] + (rim + cell[0] + 0.5) * unit, box["y"] + (rim + dim - cell[1] - 0.5) * unit

    def drag(self, start: Cell, *way: Cell) -> None:
        """Drag on the large maze from one cell over others."""
        self.page.mouse.move(*self.spot(start))
        self.page.mouse.down()
        for cell in way:
            self.page.mouse.move(*self.spot(cell), steps=3)
        self.page.mouse.up()

    def clean_of_complaints(self) -> None:
        """Nothing was complained of, and nothing was asked of anybody else."""
        assert self.complaints == []
        own = (self.address, self.address.replace("http", "ws", 1), "data:", "blob:", "about:")
        assert [url for url in self.asked if not url.startswith(own)] == []


class Due:
    """The numbers of ``evaluate`` for a state of the page."""

    def __init__(self, policy: MazePolicy, state: dict[str, Any]) -> None:
        self.maze = MazeText(**state["maze"]).made()
        self.evaluator = LevelEvaluator(policy, self.maze, state["horizon"])
        texts = [edit["text"] for edit in state["edits"] if edit["on"]]
        made = edited(read_edits(texts, policy), policy, self.maze, state["site"])
        (self.steered,) = self.evaluator.fields([made])

    def field(self, panel: str) -> StatePolicy:
        """The field of a panel."""
        return {"clean": self.evaluator.clean, "steered": self.steered, "no_cheese": self.evaluator.no_cheese}[panel]

    def outcome(self, panel: str) -> Outcome:
        """The exact outcome of a panel."""
        if panel == "no_cheese":
            return self.evaluator.no_cheese_outcome()
        return self.evaluator.outcome_of(self.field(panel))


def holds(bench: Bench, policy: MazePolicy, *panels: str) -> Due:
    """The numbers on the page are those of ``evaluate``: fields as they came, outcomes as they are written."""
    due = Due(policy, bench.state)
    for panel in panels or ("clean", "steered", "no_cheese"):
        found, field, outcome = bench.numbers(panel), due.field(panel), due.outcome(panel)
        assert found["fresh"], f"{panel}: not every state has come"
        assert np.allclose(np.reshape(found["probabilities"], (-1, 5)), field.probabilities, atol=1e-5), panel
        assert np.allclose(found["values"], field.values, atol=1e-4), panel
        for name in ("p_cheese", "p_corner", "p_region", "expected_steps"):
            written = bench.outcome_text(panel, name)
            places = 1 if name == "expected_steps" else 3
            assert abs(float(written) - getattr(outcome, name)) <= 0.51 * 10**-places + 1e-4, (panel, name, written)
    return due
