"""All variants timed in turns, and each loaded once alone."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from ...advice import words
from ...backends.base import Session
from ...errors import EdgetuiError, Refusal, RunFailed
from ...measure.apart import measure_apart
from ...measure.issuer import Camera
from ...measure.paired import Measured, measure
from ...measure.rounds_again import Watched
from ...measure.throttling import ThrottleWatch
from ...runs.outcome import Outcome, over
from ...runs.telemetry_log import RATE_HZ
from ...schema.failure import KILLED
from ...schema.figures import Difference, Escalation, Metrics, Ratio
from ...schema.ready import ready
from ...schema.stamps import BackendStamp, BoardStamp
from ...system.others_busy import OthersBusy
from ...telemetry.board_stamp import stamp, stamp_reasons
from ...telemetry.client import open_telemetry
from ..beside_parts import timed
from ..job import Job
from ..probe_process import Task, packed
from ..team import BASELINE, CANDIDATE, GUARD, Team

if TYPE_CHECKING:
    from ..job import Feeds

MOST_NAMED = 3
"""Of the programs that kept the processor busy."""
BEGUN_AHEAD = (BASELINE, "another")
"""Probes that import at once and wait for their turn; each takes some 60 MB."""


def run(team: Team) -> Mapping[str, Outcome]:
    """Latencies, memory and first inference of all plans."""
    spec = team.spec
    with ThreadPoolExecutor(1) as pool:
        # It begins with free memory, before a plan is loaded; its two looks at what is busy take time.
        stamped = pool.submit(stamp)
        feeds = team.job.one_sample()
        alone = _alone(team, feeds)
    others = OthersBusy()
    found = _in_turns(team, list(alone), feeds) if team.fit(list(alone), alone) else _apart(team, list(alone), feeds)
    if much := others.much():
        team.say.warn(f"other programs kept {much} busy while it was measured{_named(stamped.result().busy)}")
    told = {}
    for name, latency in found.latencies.items():
        fps = 1000 / latency.mean if latency.mean else None
        told[name] = msgspec.structs.replace(
            alone[name], latency_ms=latency, fps=fps, device_ms=found.device_ms[name], workload=found.told[name].figures
        )
    return _outcomes(team, found, told, stamped.result(), team.backend.stamp(spec.backend))


def _named(busy: Sequence[str]) -> str:
    """Those that were when it began, the busiest first: `: cc1plus, dockerd and 3 more`; empty: none stood out."""
    names = tuple(dict.fromkeys(busy))
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f": {', '.join(names[:MOST_NAMED])}{more}" if names else ""


def _in_turns(team: Team, names: Sequence[str], feeds: Feeds) -> Measured:
    spec = team.spec
    with team.sessions(names, cooperative=False) as sessions, _watched(team) as board:
        camera = team.job.camera(sessions[BASELINE], feeds)
        load = partial(team.load, cooperative=False)
        mixture = team.mixture()
        return measure(sessions, feeds, spec.workload, spec.preset, spec.seed, team.say, camera, board, load, mixture)


def _apart(team: Team, names: Sequence[str], feeds: Feeds) -> Measured:
    spec = team.spec
    team.say.warn(
        "the plans do not fit into memory together: they were measured one after the other, and the intervals of ratios are "
        "wider, by what the baseline differs by from one of its turns to the next"
    )

    @contextmanager
    def load(name: str) -> Iterator[Session]:
        with team.sessions([name], cooperative=False) as sessions:
            yield sessions[name]

    def camera(session: Session) -> Camera | None:
        return team.job.camera(session, feeds)

    with _watched(team) as board:
        mixture = team.mixture()
        return measure_apart(load, names, feeds, spec.workload, spec.preset, spec.seed, team.say, camera, board, mixture)


@contextmanager
def _watched(team: Team) -> Iterator[Watched]:
    """The sampler that the run's own telemetry has going, heard between blocks; nothing where it cannot be heard."""
    watch = ThrottleWatch(team.job.alert_rules())
    with ExitStack() as stack:
        readings = None
        with suppress(EdgetuiError):
            readings = stack.enter_context(open_telemetry(team.job.home, "auto", RATE_HZ))
        yield Watched(readings, watch)


def _outcomes(
    team: Team, found: Measured, told: Mapping[str, Metrics], board: BoardStamp, backend: BackendStamp
) -> dict[str, Outcome]:
    pairs = tuple(msgspec.structs.replace(pair, latency_ratio=found.ratios[other, one]) for one, other, pair in team.pairs())
    outcomes = {}
    for name, job in team.candidates().items():
        if name in team.parts:
            told = {**told, name: _two_plans(team, found, told, name)}
        guard = team.guard_of(name)
        sides = {BASELINE: BASELINE, CANDIDATE: name, **({GUARD: guard} if guard else {})}
        raw, figures = found.raw(**sides), {word: told[side] for word, side in sides.items()}
        np.savez_compressed(job.out / "latencies.npz", **raw)  # type: ignore[arg-type]
        files = {"latencies": "latencies.npz"}
        if of_workload := found.workload_raw(**sides):
            np.savez_compressed(job.out / "workload.npz", **of_workload)  # type: ignore[arg-type]
            files["workload"] = "workload.npz"
        peaks = [figures[word].memory_mb.process_peak for word in (BASELINE, CANDIDATE)]
        difference = Difference(
            latency_ratio=found.ratios[name, BASELINE],
            memory_ratio=peaks[1] / peaks[0] if peaks[0] and peaks[1] else None,
        )
        difference = msgspec.structs.replace(
            difference, **{field: ratios[name, BASELINE] for field, ratios in found.beside.items()}
        )
        reasons = {
            f"{word}.latency_ms.{field}": why for word, side in sides.items() for field, why in found.missing[side].items()
        }
        reasons |= {f"difference.{field}": why for field, pairs in found.unknown.items() if (why := pairs[name, BASELINE])}
        reasons |= {
            f"{word}.workload.{path}": why for word, side in sides.items() for path, why in found.told[side].reasons.items()
        }
        outcomes[name] = Outcome(
            summary=latency_words(difference.latency_ratio),
            files=files,
            board=board,
            backend=backend,
            baseline=figures[BASELINE],
            candidate=figures[CANDIDATE],
            difference=difference,
            correction=found.correction,
            pairs=pairs,
            reasons=reasons | stamp_reasons(board),
        )
        if guard:
            outcomes[name] = _guarded(outcomes[name], team, found, name, guard, figures[GUARD])
    return outcomes


def _two_plans(team: Team, found: Measured, told: Mapping[str, Metrics], name: str) -> Metrics:
    """With how often the second plan ran, and with each plan alone."""
    counted, mixture = team.counted[name], team.mixture()
    if counted.unheard:
        team.say.warn(f"no sensor tells of {', '.join(sorted(counted.unheard))}: as a limit of adaptive it moved nothing")
    told_of = Escalation(
        timed_share=counted.share,
        timed_samples=len(mixture.samples) if mixture is not None else 1,
        threshold_mean=counted.mean_threshold,
    )
    return msgspec.structs.replace(told[name], escalation=timed(told_of, found, told, name, team.parts[name]))


def _guarded(outcome: Outcome, team: Team, found: Measured, name: str, guard: str, figures: Metrics) -> Outcome:
    """With what was measured of the guard beside the candidate."""
    made = team.guard_made(name)
    beside = msgspec.structs.replace(made.difference, latency_ratio=found.ratios[guard, BASELINE])
    ratio = found.ratios[name, guard]
    return msgspec.structs.replace(
        outcome,
        guard=over(made.candidate, figures),
        guard_run=team.guard_run(name),
        guard_difference=beside,
        difference=msgspec.structs.replace(outcome.difference, latency_ratio_to_guard=ratio),
        summary=f"{outcome.summary}, to FP16 {latency_words(ratio).removeprefix('ratio ')}",
    )


def _alone(team: Team, feeds: Feeds) -> dict[str, Metrics]:
    """Load time, first inference and memory of each plan alone; empty where it cannot be seen. A variant that cannot be loaded
    is lost.
    """
    plans = team.plans()
    if team.out_of_process:
        return dict.fromkeys(plans, Metrics())
    alone = {}
    with _probes(team.job) as waiting:
        for probe in waiting:
            assert probe.stdout
            probe.stdout.readline()  # it has imported all it needs, and will not disturb the other
        for name, plan in plans.items():
            probe = waiting.pop(0) if waiting else _probe(team.job)
            try:
                with probe:
                    alone[name] = _answer(team, name, plan, feeds, probe)
            except EdgetuiError as error:
                team.lose(name, error)
    return alone


def start_probes(job: Job) -> None:
    """Processes that will load a plan alone: fresh, because a forked one has pages of libraries that it does not count."""
    if not job.backend.out_of_process:
        job.probes += [_probe(job) for _ in BEGUN_AHEAD]


def _probe(job: Job) -> subprocess.Popen[bytes]:
    argv = [sys.executable, "-m", "edgetui.engine.work.probe_process", job.backend.name]
    return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE)


@contextmanager
def _probes(job: Job) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Those that were begun; what is left of them is ended."""
    if not job.probes:
        start_probes(job)
    with ExitStack() as stack:
        for probe in job.probes:
            stack.enter_context(probe)
            stack.callback(probe.kill)
        yield list(job.probes)


def _answer(team: Team, name: str, plan: Path, feeds: Feeds, probe: subprocess.Popen[bytes]) -> Metrics:
    """Load time, first inference and memory of one plan, alone in a process of its own."""
    job = team.job
    job.say.note(f"loading the {name} alone, for its memory and first inference")
    task = Task(home=str(job.home), plan=str(plan), settings=team.settings(name), feeds=packed(feeds))
    told, _ = probe.communicate(msgspec.msgpack.encode(task))
    if probe.returncode == 0:
        return msgspec.json.decode(told, type=ready(Metrics))
    what = f"loading the {name} alone failed"
    if told:
        refusal = msgspec.json.decode(told, type=ready(Refusal)).because_of(what)
        raise RunFailed(refusal.what, fix=refusal.fixes, node=refusal.node)
    if probe.returncode == -signal.SIGKILL:
        raise RunFailed(
            f"{what}: {KILLED}",
            fix=f"close other programs, then `edgetui resume {job.asked.run}`",
        )
    raise RunFailed(what, fix=f"`edgetui show {job.asked.run}` and its log.txt tell more")


def latency_words(ratio: Ratio) -> str:
    """One line of the latency ratio."""
    return "no ratio" if ratio.value is None else f"ratio {words.ratio(ratio)}"
