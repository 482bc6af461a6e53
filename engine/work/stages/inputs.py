"""Some samples timed one by one, each until its own interval is narrow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from ...advice import words
from ...errors import DataRefused, Fix
from ...measure.paired import correction_of
from ...measure.per_input import InputsFound, measure_inputs, rule_here
from ...runs.outcome import Outcome
from ...schema.figures import Difference, Metrics, Ratio
from ...schema.workload_figures import PerInput
from ..job import Job
from ..team import BASELINE, CANDIDATE, GUARD, Team

if TYPE_CHECKING:
    from ..job import Feeds

MOST_BYTES = 512_000_000
"""Of inputs that are held while they are timed."""


def run(team: Team) -> Mapping[str, Outcome]:
    """Latency of each sample on all plans, and how it spreads over them."""
    feeds, alone = _feeds(team.job), team.seen_alone()
    outcomes: dict[str, Outcome] = {}
    for names in team.loads({name: each for name, each in alone.items() if name not in team.alone_parts()}):
        mine = [name for name in team.candidates() if name in names]
        if len(names) > 1 and not team.fit(names, alone):
            outcomes |= {name: _none("the plans do not fit into memory together") for name in mine}
            continue
        with team.sessions(names, cooperative=False) as sessions:
            confidence = correction_of(len(sessions)).confidence
            found = measure_inputs(sessions, feeds, rule_here(), team.spec.seed, team.say, confidence)
        for name, figures in found.figures.items():
            if figures.reached is not None and figures.n is not None and figures.reached < figures.n:
                few, wanted = figures.n - figures.reached, 100 * (figures.wanted_half_width or 0)
                say = team.jobs[name].say if name in team.jobs else team.say
                say.warn(f"{name}: {few} of {figures.n} samples are known less well than to {wanted:g} %")
        outcomes |= {name: _outcome(team, found, name) for name in mine}
    return outcomes


def _none(why: str) -> Outcome:
    nothing = Metrics(per_input=PerInput())
    paths = ("baseline.per_input", "candidate.per_input", "difference.per_input_ratio")
    return Outcome(
        summary=f"no figure: {why}",
        baseline=nothing,
        candidate=nothing,
        difference=Difference(per_input_ratio=Ratio()),
        reasons=dict.fromkeys(paths, why),
    )


def _outcome(team: Team, found: InputsFound, name: str) -> Outcome:
    job, guard = team.jobs[name], team.guard_of(name)
    guard = guard if guard in found.figures else None
    sides = {BASELINE: BASELINE, CANDIDATE: name, **({GUARD: guard} if guard else {})}
    raw = {f"{word}_{key}": values for word, side in sides.items() for key, values in found.raw[side].items()}
    np.savez_compressed(job.out / "inputs.npz", **raw)  # type: ignore[arg-type]
    ratio = found.ratios[name, BASELINE]
    reasons = {f"{word}.per_input.{field}": why for word, side in sides.items() for field, why in found.reasons[side].items()}
    if ratio.low is None:
        reasons["difference.per_input_ratio"] = "one sample has no interval over samples"
    outcome = Outcome(
        summary=f"{found.figures[name].n} samples, ratio {words.ratio(ratio)} over them",
        files={"inputs": "inputs.npz"},
        baseline=Metrics(per_input=found.figures[BASELINE]),
        candidate=Metrics(per_input=found.figures[name]),
        difference=Difference(per_input_ratio=ratio),
        reasons=reasons,
    )
    if guard is None:
        return outcome
    return msgspec.structs.replace(
        outcome,
        guard=Metrics(per_input=found.figures[guard]),
        guard_difference=Difference(per_input_ratio=found.ratios[guard, BASELINE]),
    )


def _feeds(job: Job) -> list[Feeds]:
    """As many as were asked for, or as there are.

    Raises:
        DataRefused: they are too large to be held.
    """
    samples = job.samples("evaluation")
    assert samples is not None
    batch, held = job.batch_size(), 0
    feeds: list[Feeds] = []
    for one in samples.take(job.spec.per_input * batch).batches(batch, padded=True):
        feeds.append(one.feeds)
        held += sum(array.nbytes for array in one.feeds.values())
        if held > MOST_BYTES:
            raise DataRefused(
                f"{job.spec.per_input} samples of {held / len(feeds) / 1e6:.0f} MB are more than are held while they are timed",
                fix=Fix("time {} at most", "per-input", str(len(feeds) - 1)),
            )
    return feeds
