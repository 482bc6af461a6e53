"""Joules an inference of all plans, where a sensor tells the power."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from ...advice import words
from ...measure.energy_figures import EnergyRatio, Figures, Found, Issue
from ...measure.energy_rounds import measure_energy, rule_of
from ...measure.issuer import Means, Mixture, issuer_of
from ...measure.power_meter import NoEnergy
from ...measure.throttling import UNTOLD, ThrottleWatch
from ...runs.outcome import Outcome
from ...schema.figures import IMAGES, Difference, Energy, ForImages, Metrics, Pair, Power
from ...schema.workloads import Workload
from ...system.others_busy import OthersBusy
from ...telemetry.client import open_telemetry
from ..beside_parts import metered
from ..team import BASELINE, CANDIDATE, GUARD, Team

if TYPE_CHECKING:
    from ..job import Feeds

RATE_HZ = 20.0
MISSING = ("baseline.power_w", "candidate.power_w", "baseline.energy_j_per_inference", "candidate.energy_j_per_inference")


def run(team: Team) -> Mapping[str, Outcome]:
    """Energy figures of all plans; where there are none, why."""
    if team.out_of_process:
        return _none(team.candidates(), "every inference is a process of its own, which takes most of the energy")
    feeds = team.job.one_sample()
    mixture = team.mixture()

    alone = team.seen_alone()
    outcomes: dict[str, Outcome] = {}
    for names in team.loads(alone):
        mine = [name for name in team.candidates() if name in names]
        if len(names) > 1 and not team.fit(names, alone):
            outcomes |= _none(mine, "the plans do not fit into memory together", team.parts)
            continue
        try:
            found = _measured(team, names, feeds, mixture)
        except NoEnergy as why:
            outcomes |= _none(mine, str(why), team.parts)
            continue
        for warning in found.warnings:
            team.say.warn(warning)
        outcomes |= {name: _outcome(team, found, name) for name in mine}
    return outcomes


def _measured(team: Team, names: Sequence[str], feeds: Feeds, mixture: Mixture | None) -> Found:
    spec, watch = team.spec, ThrottleWatch(team.job.alert_rules())

    @contextmanager
    def loaded() -> Iterator[Sequence[tuple[str, Issue]]]:
        with team.sessions(names, cooperative=False) as sessions:
            camera = team.job.camera(sessions[BASELINE], feeds)
            means = {
                name: Means(session, feeds, spec.workload, spec.seed, camera, mixture) for name, session in sessions.items()
            }
            yield [(name, issuer_of(each).issue) for name, each in means.items()]

    with open_telemetry(team.job.home, "auto", RATE_HZ) as readings:
        others = OthersBusy()
        found = measure_energy(readings, loaded, rule_of(spec.preset), spec.seed, team.say, watch)
    if much := others.much():
        team.say.warn(f"other programs kept {much} busy while joules were measured: theirs are among them")
    return found


def _outcome(team: Team, found: Found, name: str) -> Outcome:
    ratio, workload = found.ratios[name, BASELINE], team.spec.workload
    guard = team.guard_of(name)
    guard = guard if guard in found.figures else None
    sides = {BASELINE: BASELINE, CANDIDATE: name, **({GUARD: guard} if guard else {})}
    np.savez_compressed(team.jobs[name].out / "energy.npz", **found.raw(**sides))  # type: ignore[arg-type]
    outcome = Outcome(
        summary=_summary(found, name, ratio, workload),
        files={"energy": "energy.npz"},
        baseline=_metrics(found, BASELINE, workload),
        candidate=_metrics(found, name, workload),
        difference=Difference(energy_ratio=ratio.net, energy_ratio_gross=ratio.gross),
        pairs=tuple(_pair(found, one, other, pair) for one, other, pair in team.pairs()),
        reasons=_untold(found, sides) | ({"difference.energy_ratio": ratio.reason} if ratio.reason else {}),
    )
    if (parts := team.parts.get(name)) is not None:
        candidate = msgspec.structs.replace(outcome.candidate, escalation=metered(found, name, parts))
        outcome = msgspec.structs.replace(outcome, candidate=candidate)
    if guard is None:
        return outcome
    beside = found.ratios[guard, BASELINE]
    return msgspec.structs.replace(
        outcome,
        guard=_metrics(found, guard, workload),
        guard_difference=Difference(energy_ratio=beside.net, energy_ratio_gross=beside.gross),
        difference=msgspec.structs.replace(outcome.difference, energy_ratio_to_guard=found.ratios[name, guard].net),
    )


def _pair(found: Found, one: str, other: str, pair: Pair) -> Pair:
    both = found.ratios.get((other, one))
    return pair if both is None else msgspec.structs.replace(pair, energy_ratio=both.net)


def _none(names: Iterable[str], why: str, two: Collection[str] = ()) -> dict[str, Outcome]:
    """`two`: those of them that are two plans."""
    sides = (f"candidate.escalation.{side}" for side in ("narrow", "wide"))
    alone = [f"{side}.{field}" for side in sides for field in ("energy_j", "energy_ratio")]
    paths = (*MISSING, "difference.energy_ratio", "difference.energy_ratio_gross")
    return {
        name: Outcome(summary=f"no figure: {why}", reasons=dict.fromkeys([*paths, *(alone if name in two else [])], why))
        for name in names
    }


def _untold(found: Found, sides: Mapping[str, str]) -> dict[str, str]:
    told = {f"{word}.energy_j_per_inference.throttled": found.figures[side].throttled for word, side in sides.items()}
    reasons = {path: UNTOLD for path, windows in told.items() if windows is None}
    once = "the idle board could be looked at once only"
    return reasons | ({f"{word}.power_w.idle_drift": once for word in sides} if found.idle.drift_w is None else {})


def _metrics(found: Found, side: str, workload: Workload) -> Metrics:
    figures = found.figures[side]
    energy = Energy(
        gross=figures.gross,
        gross_half_width=figures.gross_half,
        net=figures.net,
        net_half_width=figures.net_half,
        for_images=_for_images(figures),
        windows=figures.windows,
        samples=figures.samples,
        rate_hz=figures.rate_hz,
        gaps=figures.gaps,
        longest_gap_s=figures.longest_gap_s,
        throttled=figures.throttled,
        scope=found.scope,
        method=found.method,
        per=workload.unit,
    )
    power = Power(mean=figures.mean_w, peak=figures.peak_w, idle=found.idle.mean_w, idle_drift=found.idle.drift_w)
    return Metrics(power_w=power, energy_j_per_inference=energy)


def _for_images(figures: Figures) -> ForImages:
    half = figures.gross_half
    return ForImages(
        n=IMAGES,
        joules=figures.gross * IMAGES,
        low=None if half is None else max(0.0, figures.gross - half) * IMAGES,
        high=None if half is None else (figures.gross + half) * IMAGES,
        measured_s=figures.seconds,
    )


def _summary(found: Found, name: str, both: EnergyRatio, workload: Workload) -> str:
    ratio, kind = (both.net, "net") if both.net.value is not None else (both.gross, "gross")
    each = f"{words.joules(found.figures[name].net)} net for each {workload.unit}"
    return f"{each}, {kind} ratio {words.ratio(ratio)}, {found.scope}"
