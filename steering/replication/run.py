"""The published findings, run again: the list, a resumable run into a directory's database, its exports."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from agents.hardware import one_thread
from agents.networks.policy import Policy
from envs.errors import InputError, nearest
from envs.files import write_atomic
from envs.maze import Maze
from envs.stored.json_records import to_json
from steering.records.replication import (
    FindingClaim,
    FindingFigure,
    FindingResult,
    ReplicateSettings,
    ReplicateSummary,
)
from steering.records.sweep import CheckpointId
from steering.replication import channels, cheese_probe, levels, own_vectors, transfer
from steering.replication.behaviour import BEHAVIOUR
from steering.replication.protocol import Finding, Measure, Sample, Settings, Setup, digest, verdict
from steering.replication.store import FindingStore
from steering.replication.tracking import check_maps
from steering.statistics.formatting import published_inside
from steering.sweep.artifacts import REPLICATE
from steering.sweep.outcome_table import write_table
from steering.sweep.store import Store, run_directory

FINDINGS: dict[str, Finding] = {
    finding.name: finding
    for finding in (
        own_vectors.EFFECT,
        own_vectors.ADDING,
        own_vectors.NOISE,
        transfer.TRANSFER,
        levels.NAMED_TRANSFER,
        transfer.REMOVAL,
        levels.DECISION_SQUARE,
        BEHAVIOUR,
        channels.RESAMPLING,
        channels.RETARGETING,
        own_vectors.PATHS,
        own_vectors.TOP_RIGHT_VECTOR,
        cheese_probe.PROBE,
    )
}
Progress = Callable[[int, int], None]


def chosen(names: Sequence[str], mode: str | None = None) -> list[Finding]:
    """Return the findings called ``names``, in the list's order; none: all that are about ``mode``, if given.

    Raises:
        InputError: for an unknown name, and names the nearest.
    """
    for name in names:
        if name not in FINDINGS:
            raise InputError(f"no finding {name!r}; {nearest(name, FINDINGS)} (see `mazesteer replicate --list`)")
        if mode is not None and FINDINGS[name].mode not in (None, mode):
            raise InputError(f"{name} is about levels of mode {FINDINGS[name].mode}, not {mode}; leave it out")
    if names:
        return [finding for name, finding in FINDINGS.items() if name in names]
    return [finding for finding in FINDINGS.values() if mode is None or finding.mode in (None, mode)]


def replicate(
    policy: Policy, settings: Settings, out: Path, names: Sequence[str] = (), progress: Progress | None = None
) -> ReplicateSummary:
    """Run findings, keep every row in the database of ``out`` and return what ``out/replicate.json`` then holds.

    On one thread, so that every machine gets the same numbers. A maze measured before is not measured again, and
    a finding is summed up again only if anything it depends on is not as before.

    Args:
        policy: the agent that the findings are measured on.
        settings: site, levels, horizon and seed.
        out: the run directory, that of a sweep or a new one.
        names: findings to run; none: all that are about ``settings.mode``.
        progress: told ``(done, total)`` in mazes measured.

    Returns:
        Figures, claims and verdicts of all findings in the directory, also of earlier calls.

    Raises:
        InputError: for an unknown name, a site that a finding cannot use, levels of which none can be used, or a
            directory with results of another checkpoint, mode, site, horizon or seed.

    Example:
        >>> from pathlib import Path
        >>> from steering.replication.protocol import Settings
        >>> policy = load_policy("region5")
        >>> settings = Settings(policy.name, policy.sha256, "embedder.block2.res1.resadd", levels=(26, 54))
        >>> found = replicate(policy, settings, Path("runs/findings"), names=["noise"])
        >>> list(found.findings)
        ['noise']
    """
    findings = chosen(names, settings.mode)
    bench = Setup(policy, settings)
    if any(finding.maps for finding in findings):
        check_maps(bench.site)
    known: dict[int, Maze] = {}
    with run_directory(out) as directory, one_thread():
        mazes = {finding.name: _mazes(finding, settings, known) for finding in findings}
        with Store.open(directory) as store:
            kept = FindingStore(store)
            kept.claim(settings)
            try:
                _measure(bench, mazes, kept, progress)
                for finding in findings:
                    _sum_up(bench, finding, mazes[finding.name], kept)
            finally:
                data = export(kept, settings, directory)
    return data


def _measure(bench: Setup, mazes: Mapping[str, Sequence[Maze]], kept: FindingStore, progress: Progress | None) -> None:
    """Measure and record what is missing, maze by maze: findings share what a maze costs. What is joint comes last."""
    work = []
    for finding in map(FINDINGS.__getitem__, mazes):
        basis = finding.basis(mazes[finding.name])
        present = kept.rows(finding.name, basis)
        work += [(finding, basis, part) for part in finding.parts(mazes[finding.name], present)]
    work.sort(key=lambda item: (item[0].jointly is not None, item[2][0].level or 0))
    for done, (finding, basis, part) in enumerate(work):
        if progress is not None:
            progress(done, len(work))
        rows = finding.rows(bench, part)
        kept.add(finding.name, basis, {maze.level or 0: row for maze, row in zip(part, rows, strict=True)})


def _sum_up(bench: Setup, finding: Finding, mazes: Sequence[Maze], kept: FindingStore) -> None:
    """Record the finding's result, unless the one recorded was made of exactly this."""
    settings, levels = bench.settings, [maze.level or 0 for maze in mazes]
    rows = kept.rows(finding.name, finding.basis(mazes))
    sample = Sample(finding.name, [rows[level] for level in levels], settings.seed)
    basis = digest(
        finding.revision, finding.source.what, finding.source.published, settings.shared(), levels, sample.rows
    )
    if kept.result(finding.name, basis) is None:
        kept.record(finding.name, basis, result(bench, finding, sample, levels))


def export(kept: FindingStore, settings: Settings, directory: Path) -> ReplicateSummary:
    """Write what is stored as ``replicate.json``, and its figures as ``replicate.csv`` and ``.parquet``."""
    results = kept.results()
    data = ReplicateSummary(
        format=REPLICATE.format,
        checkpoint=CheckpointId(settings.checkpoint, settings.sha256),
        settings=ReplicateSettings(**settings.shared(), device=settings.device),
        findings={name: results[name] for name in FINDINGS if name in results},
        rows=kept.all_rows(),
    )
    figures = [
        (
            name,
            figure.label,
            None if figure.published is None else str(figure.published),
            figure.value,
            figure.low,
            figure.high,
            published_inside(figure.published, figure.low, figure.high),
            found.mazes,
            found.verdict,
        )
        for name, found in data.findings.items()
        for figure in found.figures
    ]
    columns = ("finding", "figure", "published", "measured", "low", "high", "published_inside", "mazes", "verdict")
    texts = ("finding", "figure", "published", "published_inside", "verdict")
    kinds = {"mazes": "int64"} | dict.fromkeys(texts, "string")
    write_table(directory / "replicate", columns, figures, kinds)
    write_atomic(directory / REPLICATE.file, to_json(data))
    return data


def result(bench: Setup, finding: Finding, sample: Sample, levels: Sequence[int]) -> FindingResult:
    """Return one finding's record: what it is, what was published, figures, claims, verdict and notes."""
    summary = finding.summarize(bench, sample)
    return FindingResult(
        what=finding.source.what,
        published=finding.source.published,
        figures=tuple(map(stored_figure, summary.figures)),
        claims=tuple(FindingClaim(claim.text, claim.holds) for claim in summary.claims),
        verdict=verdict(summary.claims),
        mazes=len(sample),
        notes=summary.notes,
        levels=tuple(levels),
    )


def stored_figure(figure: Measure) -> FindingFigure:
    """Return a number as it is stored: null where it, or an end of its interval, is not defined."""
    value, low, high = (number if math.isfinite(number) else None for number in (figure.value, figure.low, figure.high))
    return FindingFigure(figure.label, value, low, high, figure.published)


def read(out: Path) -> ReplicateSummary:
    """Return the content of a directory's ``replicate.json``; raises :class:`InputError` if none can be read."""
    return REPLICATE.read(out, "type `mazesteer replicate` again")


def _mazes(finding: Finding, settings: Settings, known: dict[int, Maze]) -> list[Maze]:
    found = finding.mazes(settings, known)
    if not found:
        raise InputError(
            f"{finding.name}: none of the levels can be used (it needs a decision square); take a wider range"
        )
    return found
