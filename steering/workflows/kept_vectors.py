"""The vectors of a sweep as files of its run directory, each of which ``--vector`` takes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from agents.networks.policy import Policy
from envs.files import remove_stale
from envs.maze import Maze
from steering.experiments.level_conditions import Given, own_vectors
from steering.interventions.vectors import SteeringVector
from steering.sweep.spec import SweepSpec

FOLDER = "vectors"


def vector_file(directory: Path, level: int, site: str) -> Path:
    """Return the file of the cheese vector of a level at a site."""
    return directory / FOLDER / f"level{level:05d}" / f"{site}.safetensors"


def keep_vectors(policy: Policy, spec: SweepSpec, directory: Path, progress: Callable[[int, int], None]) -> int:
    """Write the cheese vectors that a sweep edits with, those that are not there yet.

    Args:
        policy: the sweep's, on the processor.
        spec: its settings.
        directory: its run directory; a file goes to :func:`vector_file`.
        progress: told (done, total) in levels.

    Returns:
        The number of files written.

    Raises:
        InputError: for a file that cannot be written.
    """
    count = 0
    for done, level in enumerate(spec.levels):
        progress(done, len(spec.levels))
        files = {site: vector_file(directory, level, site) for site in spec.sites}
        remove_stale(files[spec.sites[0]].parent)
        missing = [site for site, file in files.items() if not file.exists()]
        if missing:
            vectors = own_vectors(policy, Maze.from_level(level, spec.mode), missing, spec.source, spec.seed)
            for site in missing:
                vectors[site].save(files[site])
        count += len(missing)
    progress(len(spec.levels), len(spec.levels))
    return count


def keep_given(given: Given, directory: Path) -> None:
    """Write the vectors of edits that were read from files, by their digest: the run then has all it was made of."""
    remove_stale(directory / FOLDER)
    for edit in given.edits:
        if isinstance(edit.vector, SteeringVector):
            edit.vector.save(directory / FOLDER / f"{edit.vector.digest}.safetensors")
