"""Captions and sentences of the pages: short, in the project's words, and held to what the docs are held to."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from agents.networks.policy import MazePolicy
from envs.stored.json_records import from_json, to_json
from steering.experiments.conditions import PUBLISHED_SITE
from steering.experiments.levels import first_levels
from steering.records.replication import ReplicateSettings, ReplicateSummary
from steering.records.sweep import CheckpointId, SweepSummary
from steering.replication import behaviour
from steering.replication.protocol import Measurement, Sample, Settings
from steering.replication.run import FINDINGS, result
from steering.reports import captions
from steering.reports.comparison_report import run_compare
from steering.reports.first_screen import FEW_RUNS
from steering.reports.sweep_report import write_report
from steering.sweep.artifacts import PROBES, READOUTS, REPLICATE, RunArtifacts
from tests.helpers.probe_sets import made_up_summary, made_up_tallies
from tests.helpers.runs import LEVELS, SPEC, make_run
from tests.steering.analysis import test_compared_planning, test_compared_readouts
from tests.steering.analysis.anatomy import test_circuits
from tests.steering.replication.test_protocol import Tracked, targets
from tests.test_words import END, LONG, lengths

# Words that say less than they seem to, or that the glossary has another term for.
NOT_SAID = ("hangs on", "rightly", "a sure 0.01", "of this little", "second minus first", "pairs apart")


def words(sentence: str) -> int:
    return sum(bool(re.search(r"\w", word)) for word in sentence.split())


@pytest.mark.parametrize("name", captions.FIGURES)
def test_a_caption_is_three_short_sentences_at_most(name: str) -> None:
    parts = [part for part in END.split(" ".join(captions.FIGURES[name][1].split())) if part]
    blanks = sum(part.startswith("{") for part in parts)  # of a sentence made elsewhere, which may be none
    assert len(parts) <= 3 + blanks and max(map(words, parts)) <= LONG


def test_what_pages_say_is_plain() -> None:
    texts = [text for title, caption in captions.FIGURES.values() for text in (title, caption)]
    texts += [text for name, text in vars(captions).items() if name.isupper() and isinstance(text, str)]
    said = " ".join(" ".join(texts).split())
    assert len(said) > 10_000 and not [phrase for phrase in NOT_SAID if phrase in said]


def check_sentences(text: str, least: int) -> None:
    """Hold ``text`` to what the docs are held to, and to as many sentences as ``least``."""
    counted = lengths(text)
    assert len(counted) > least
    assert sum(counted) <= 15 * len(counted), f"{sum(counted) / len(counted):.1f} words a sentence"
    assert sum(count > LONG for count in counted) <= 0.03 * len(counted)
    assert not [phrase for phrase in NOT_SAID if phrase in text]


def test_the_sentences_of_a_report_are_as_short_as_those_of_the_docs(sweep: Path) -> None:
    check_sentences((sweep / "report.md").read_text(), 60)


class Anything(dict[str, Any]):
    """A maze's measurement that has every number asked for: what is said is looked at, whatever the numbers are."""

    def __contains__(self, key: object) -> bool:
        return True

    def __missing__(self, key: str) -> float:
        return 0.5


def test_the_findings_of_a_report_are_told_in_sentences_as_short(
    sweep: Path, tmp_path: Path, random_policy: MazePolicy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(behaviour, "REFITS", 4)
    some: list[Measurement] = [*[Anything(level=795)] * 11, Anything(level=3, add=None)]
    mazes, _ = first_levels(behaviour.FEWEST, "hard")
    rows = {
        "behaviour": [{**maze.features(), "p_cheese": k % 2} for k, maze in enumerate(mazes)],
        "retargeting": [targets(0.5, 0.3, 0.2, 0.0)] * 12,
    }
    bench = Tracked(random_policy, Settings("random", random_policy.sha256, PUBLISHED_SITE, (0,)))
    found = {
        name: result(bench, finding, Sample(name, rows.get(name, some), 0), range(12))
        for name, finding in FINDINGS.items()
    }
    settings = ReplicateSettings(random_policy.sha256, PUBLISHED_SITE, 256, 0, "hard")
    data = ReplicateSummary(REPLICATE.format, CheckpointId("random", random_policy.sha256), settings, found, {})
    summary = from_json((sweep / "summary.json").read_bytes(), SweepSummary)
    write_report(summary, tmp_path / "report.html", others=RunArtifacts(replicate=data))
    text = (tmp_path / "report.md").read_text()
    section = text[text.index("## The published findings") :].split("\n## ")[0]
    assert section.count("\n### ") == len(FINDINGS) == section.count("Here: ")
    check_sentences(section, 60)


@pytest.mark.parametrize(("count", "also"), [(2, "Kinds of evidence"), (FEW_RUNS + 1, "Many runs: ")])
def test_the_sentences_of_a_comparison_are_as_short(tmp_path: Path, count: int, also: str) -> None:
    """With all that a comparison tells of: snapshots, probes, readouts, planning, channels; few runs and many."""
    runs, sites = [], test_compared_readouts.SITES
    for k in range(count):
        spec = replace(SPEC, checkpoint=f"region5@{4096 * (k + 1)}", sha256=f"{k:064x}")
        run = make_run(tmp_path / str(k), spec, test_compared_planning.SHARE, seed=k)
        follows = np.random.default_rng(k).random((len(LEVELS), 4)) < 0.5
        test_compared_planning.planned(run, spec.checkpoint, spec.sha256, follows)
        agent = CheckpointId(spec.checkpoint, spec.sha256)
        probes = made_up_summary(sites, made_up_tallies(len(sites), 1, len(LEVELS), 0), LEVELS, agent, spec.mode)
        (run / PROBES.file).write_bytes(to_json(probes))
        readouts = test_compared_readouts.readouts(k % 2, spec.checkpoint, spec.sha256)
        (run / READOUTS.file).write_bytes(to_json(readouts))
        test_circuits.store_circuit(run, spec.sha256, test_circuits.agent(spec.checkpoint, k))
        runs.append(run)
    run_compare(runs, tmp_path / "out", seed=0)
    text = (tmp_path / "out" / "compare.md").read_text()
    for part in ("Planning, run by run", "Channels, run by run", "Over training", "What is read at the mouse", also):
        assert part in text
    check_sentences(text, 50)


def test_the_rule_of_a_reading_becomes_sentences() -> None:
    rule = "first site that holds (margins: over mazes, all at once); half: the first with half"
    assert (
        captions.as_sentences(rule)
        == "first site that holds. Margins: over mazes, all at once. Half: the first with half"
    )
    assert captions.as_sentences("one thing") == "one thing"
