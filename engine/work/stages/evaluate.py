"""Fidelity and accuracy of all plans over the evaluation samples."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from ...backends.base import Session
from ...runs.outcome import Outcome
from ...tasks.exporter import export_notes
from ..beside_parts import PartNames, evaluated
from ..evaluate_outputs import Contender, evaluate, sample_list
from ..job import OUT_OF_PROCESS_SAMPLES
from ..team import BASELINE, Team
from ..two_plans import Escalated, TwoPlans
from ..verify_outputs import outputs_of


def run(team: Team) -> Mapping[str, Outcome]:
    """Every sample through all plans."""
    job, spec = team.job, team.spec
    samples = job.samples("evaluation")
    assert samples is not None
    if spec.dataset is None:
        team.say.warn("fidelity is over the calibration samples: no other data were given")
    if team.out_of_process:
        source = f"{OUT_OF_PROCESS_SAMPLES}, of all classes alike, of {samples.source}"
        samples = samples.take(OUT_OF_PROCESS_SAMPLES)
        samples.source = source
        team.say.warn(f"trtexec runs a process for each inference: {OUT_OF_PROCESS_SAMPLES} samples were evaluated")
    said = outputs_of(job.made("normalise")[0] / "model.onnx")
    notes = export_notes(Path(spec.model))
    found: dict[str, Outcome] = {}
    kept: dict[str, dict[str, NDArray[np.generic]]] = {}
    counts: dict[str, Escalated] = {}
    for names in team.loads(team.seen_alone()):
        with team.sessions(names) as sessions:
            _hold(team, sessions)
            baseline = sessions.pop(BASELINE)
            others = {
                name: Contender(session, team.jobs[name].say if name in team.jobs else team.say)
                for name, session in sessions.items()
            }
            found |= evaluate(baseline, others, samples, job.batch_size(), spec, team.say, said, notes, kept)
            counts |= {name: two.counted for name in team.parts if (two := cast("TwoPlans | None", sessions.get(name)))}
    for name, parts in team.parts.items():
        if name in found:
            found[name] = _escalated(found, kept, counts[name], name, parts, spec.seed)
    listed = sample_list(samples)
    return {
        name: _guarded(_with_files(found[name], kept.get(name), listed, each.out), found.get(team.guard_of(name) or ""))
        for name, each in team.candidates().items()
    }


def _hold(team: Team, sessions: Mapping[str, Session]) -> None:
    """Two plans that are one are evaluated with the threshold that limits left them while they were timed, if they were."""
    if team.spec.half:
        return
    for name in team.parts:
        timed, two = team.jobs[name].made("measure")[1].candidate.escalation, cast("TwoPlans | None", sessions.get(name))
        if two is not None and timed:
            two.counted.held = timed.threshold_mean


def _escalated(
    found: Mapping[str, Outcome],
    kept: Mapping[str, dict[str, NDArray[np.generic]]],
    counted: Escalated,
    name: str,
    parts: PartNames,
    seed: int,
) -> Outcome:
    """With the share that ran again, and both plans alone."""
    told = evaluated(counted.seen, counted.again, found, kept, name, parts, seed)
    candidate = msgspec.structs.replace(found[name].candidate, escalation=told)
    again = f"{100 * (told.share or 0):.1f} % ran again"
    return msgspec.structs.replace(found[name], candidate=candidate, summary=f"{found[name].summary}, {again}")


def _with_files(outcome: Outcome, kept: dict[str, NDArray[np.generic]] | None, listed: bytes, out: Path) -> Outcome:
    """Which samples were evaluated is kept with the run, and what a report computes figures of labels from again."""
    (out / "samples.txt").write_bytes(listed)
    files = {"samples": "samples.txt"}
    if kept:
        np.savez_compressed(out / "evaluation.npz", **kept)  # type: ignore[arg-type]
        files = {"evaluation": "evaluation.npz", **files}
    return msgspec.structs.replace(outcome, files=files)


def _guarded(outcome: Outcome, guard: Outcome | None) -> Outcome:
    """With what is known of the guard's outputs."""
    if guard is None:
        return outcome
    return msgspec.structs.replace(
        outcome, guard=guard.candidate, guard_difference=guard.difference, guard_fidelity=guard.fidelity
    )
