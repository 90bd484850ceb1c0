"""The readings of the shipped control, from its finished run: ``python -m steering.workflows.control RUN``.

The run has a sweep, probes and planning of the agent that was taught to plan nothing. What is written stands beside the
readings of every other agent.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from envs.errors import InputError
from envs.files import write_atomic
from envs.stored.json_records import to_json
from steering.analysis.readings import CONTROL, as_control
from steering.analysis.summary import summarize
from steering.records.readings import ControlReadings
from steering.sweep.artifacts import read_artifacts
from steering.sweep.spec import SweepSpec
from steering.sweep.store import Store


def control_of_run(directory: Path) -> ControlReadings:
    """Return what is kept of the readings of a finished run of the control.

    Raises:
        InputError: the run has no probes or no planning, or is damaged.
    """
    spec = SweepSpec.load(directory)
    with Store.open(directory) as store:
        summary = summarize(store, spec, **vars(store.thresholds()))
    others, notes = read_artifacts(directory, spec.sha256, spec.mode, spec.levels)
    if others.probes is None or others.planning is None or others.readouts is None:
        told = "; ".join(notes) or "probes, readouts and planning are needed"
        raise InputError(f"{directory}: {told}; type `mazesteer probe` and `mazesteer planning` with --out {directory}")
    return as_control(summary, others.probes, others.planning, others.readouts)


def main() -> None:
    """Run the command line of this module."""
    parser = argparse.ArgumentParser(prog="python -m steering.workflows.control")
    parser.add_argument("run", type=Path, help="directory of the control's finished run")
    try:
        write_atomic(CONTROL, to_json(control_of_run(parser.parse_args().run), indent=1))
    except InputError as error:
        parser.error(str(error))


if __name__ == "__main__":
    main()
