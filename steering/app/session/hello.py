"""What a client is told once: the agent, its sites, curves of a run, the library of mazes, the words of edits."""

from __future__ import annotations

import importlib.metadata
from pathlib import Path

from agents.networks.policy import MazePolicy
from envs.errors import InputError
from envs.stored.json_records import to_plain
from steering.analysis.summary import summarize_run
from steering.app.session.context import Contexts, vector_files
from steering.app.session.library import LIBRARY
from steering.app.session.state import TypedEdit, WorkbenchState
from steering.app.session.updates import Update
from steering.experiments.conditions import MAIN, PUBLISHED_SITE
from steering.experiments.edit_fields import FIELDS, PLACES, TAKEN
from steering.interventions.sites import Site, enumerate_sites
from steering.marks.site_axis import is_duplicate, locality_mark
from steering.statistics.formatting import short_site_name
from steering.sweep.artifacts import PLANNING
from steering.sweep.spec import SweepSpec

Curves = dict[str, dict[str, float]]


def read_curves(run: Path | None, agent: MazePolicy) -> Curves:
    """Return the curves of a run directory: numbers by site, by the name of the curve.

    Args:
        run: what ``--out`` of ``layer-sweep`` was; None: no curves.
        agent: the agent that the run must be of.

    Raises:
        InputError: for a run that is none, or one of another agent.
    """
    if run is None:
        return {}
    spec = SweepSpec.load(run)
    if spec.sha256 != agent.sha256:
        raise InputError(
            f"{run}: a run of {spec.checkpoint} (sha256 {spec.sha256[:12]}), not of {agent.name} "
            f"({agent.sha256[:12]}); give its agent, or leave out --run"
        )
    found = {site.name: site.conditions.get(MAIN) for site in summarize_run(run).sites}
    blind = {name: row.blindness for name, row in found.items() if row is not None and row.blindness is not None}
    return {"blindness": blind, **_planning_curves(run, spec)}


def _planning_curves(run: Path, spec: SweepSpec) -> Curves:
    """Return what located patching found, if ``planning`` was run there: what source and mouse carry at each site."""
    planning, _ = PLANNING.of_sweep(run, spec.sha256, spec.mode)
    if planning is None:
        return {}
    curves: Curves = {}
    for located in planning.located:
        named = "the cheese" if located.kind == "cheese" else f"a detour to the {located.goal}"
        for place in ("source", "mouse"):
            carried = {site.name: site.carried[planning.patches.index(place)].value for site in located.sites}
            curves[f"{named}, carried at the {place}"] = {name: v for name, v in carried.items() if v is not None}
    return curves


def hello(agent: MazePolicy, contexts: Contexts, mode: str, curves: Curves) -> Update:
    """Return the first update of a session.

    Args:
        agent: the policy.
        contexts: what makes contexts of it.
        mode: procgen's distribution mode of the first maze.
        curves: those of a run.
    """
    sites = enumerate_sites(agent.net)
    begin = first_state(sites, mode)
    library = [
        {"name": example.name, "words": example.words, "state": {**begin, "maze": to_plain(example.maze())}}
        for example in LIBRARY
    ]
    facts = {
        "agent": {"name": agent.name, "sha256": agent.sha256, "mode": mode},
        "sites": _told(sites, contexts),
        "curves": curves,
        "library": library,
        "vectors": vector_files(contexts.start),
        "state": begin,
        "kinds": {kind: list(fields) for kind, fields in FIELDS.items()},
        "taken": list(TAKEN),
        "places": list(PLACES),
        "version": importlib.metadata.version("mazesteer"),
    }
    return Update("hello", facts)


def first_state(sites: tuple[Site, ...], mode: str) -> dict[str, object]:
    """Return the state that a page begins with: a maze of the mode, its cheese vector subtracted."""
    named = {site.name for site in sites}
    trunk = [site.name for site in sites if site.trunk]
    site = PUBLISHED_SITE if PUBLISHED_SITE in named else trunk[len(trunk) // 2] if trunk else sites[0].name
    edit = TypedEdit(f"subtract,vector=cheese,site={site},coefficient=1.0")
    example = next(each for each in LIBRARY if each.mode == mode)
    return WorkbenchState(example.maze(), (edit,), site).plain()


def _told(sites: tuple[Site, ...], contexts: Contexts) -> list[dict[str, object]]:
    """Return what the diagram shows of each site."""
    network = contexts.fields.network
    names = [site.name for site in sites]
    # Without a graph sites stand in the order in which they ran.
    before = dict(zip(names, [[], *([name] for name in names)], strict=False)) if network is None else None
    lines = network.sites_before(names) if network is not None else before or {}
    return [
        {
            "name": site.name,
            "short": short_site_name(site.name),
            "depth": site.depth,
            "shape": list(site.shape),
            "trunk": site.trunk,
            "affine": site.affine,
            "mark": locality_mark(site),
            "duplicate": is_duplicate(site),
            "units": None if site.units is None else list(site.units),
            "inputs": lines.get(site.name, []),
        }
        for site in sites
    ]
