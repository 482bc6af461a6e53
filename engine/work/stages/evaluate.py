"""Fidelity and accuracy of all plans over the evaluation samples."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from ...runs.outcome import Outcome
from ...tasks.exporter import export_notes
from ..evaluate_outputs import Contender, evaluate
from ..job import OUT_OF_PROCESS_SAMPLES
from ..team import BASELINE, Team
from ..verify_outputs import outputs_of


def run(team: Team) -> Mapping[str, Outcome]:
    """Every sample through all plans."""
    job, spec = team.job, team.spec
    samples = job.samples("evaluation")
    assert samples is not None
    if spec.dataset is None:
        team.say.warn("fidelity is over the calibration samples: no other data were given")
    if team.out_of_process:
        samples = samples.take(OUT_OF_PROCESS_SAMPLES)
        team.say.warn(f"trtexec runs a process for each inference: {OUT_OF_PROCESS_SAMPLES} samples were evaluated")
    said = outputs_of(job.made("normalise")[0] / "model.onnx")
    notes = export_notes(Path(spec.model))
    found: dict[str, Outcome] = {}
    kept: dict[str, dict[str, NDArray[np.generic]]] = {}
    for names in team.loads(team.seen_alone()):
        with team.sessions(names) as sessions:
            baseline = sessions.pop(BASELINE)
            others = {
                name: Contender(session, team.jobs[name].say if name in team.jobs else team.say)
                for name, session in sessions.items()
            }
            found |= evaluate(baseline, others, samples, job.batch_size(), spec, team.say, said, notes, kept)
    return {
        name: _guarded(_with_arrays(found[name], kept.get(name), each.out), found.get(team.guard_of(name) or ""))
        for name, each in team.candidates().items()
    }


def _with_arrays(outcome: Outcome, kept: dict[str, NDArray[np.generic]] | None, out: Path) -> Outcome:
    """What figures of labels follow from is kept with the run, so that a report can compute them again."""
    if not kept:
        return outcome
    np.savez_compressed(out / "evaluation.npz", **kept)  # type: ignore[arg-type]
    return msgspec.structs.replace(outcome, files={"evaluation": "evaluation.npz"})


def _guarded(outcome: Outcome, guard: Outcome | None) -> Outcome:
    """With what is known of the guard's outputs."""
    if guard is None:
        return outcome
    return msgspec.structs.replace(
        outcome, guard=guard.candidate, guard_difference=guard.difference, guard_fidelity=guard.fidelity
    )
