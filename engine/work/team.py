"""The runs that go through a stage together: their variants, which are whose, and who hears of what.

A run that was started alone is a team of one. Apart from `job.py`, which knows one run.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path

import msgspec
from msgspec import UNSET

from ..backends.base import Session
from ..errors import EdgetuiError
from ..measure.issuer import Mixture
from ..runs.outcome import Outcome, over
from ..schema.figures import Escalation, MemoryMb, Metrics, Pair
from ..schema.settings import BackendSettings
from ..system.heap import give_back_freed
from ..system.memory import read_memory
from ..system.reporter import Reporter
from .beside_parts import PartNames
from .board_sense import BoardSense
from .job import Job
from .two_plans import Escalated, files_of, is_rule, load_plan, rule_at

BASELINE, CANDIDATE = "baseline", "candidate"
HELD = 1.5
"""Times its file that a plan takes once it is loaded, at least."""
BARE_MB = 60
"""What a process holds that has imported what executes plans and loaded none."""
TIMED_SAMPLES, TIMED_BYTES = 512, 128_000_000
"""Different samples that plans are timed on in turn, at most, and what they may take."""
GUARD = "guard"
"""The FP16 plan that is built beside INT8 candidates."""


class Team:
    """Jobs of the same stage, of runs that differ in their recipes alone."""

    def __init__(self, jobs: Sequence[Job], say: Reporter | None = None) -> None:
        """`say`: heard by all of them; None: there is one."""
        lead = jobs[0]
        self.jobs = dict(zip(_labels(jobs), jobs, strict=True))
        """By the names of their candidates among the variants."""
        self.say: Reporter = TeamReporter(say or lead.say, self)
        self.job = Job(lead.home, lead.asked, lead.stage.name, lead.out, self.say)
        """What is the same for all: data, baseline, settings."""
        self.job.probes = lead.probes
        self.spec, self.backend = lead.spec, lead.backend
        self.lost: set[str] = set()
        self._mixture: Mixture | None = None
        runs = {job.asked.run: name for name, job in self.jobs.items()}
        self._guard_plan = next(filter(None, (job.guard_plan() for job in jobs)), None)
        self._guards = {
            name: GUARD if job.asked.guard == job.asked.run else runs.get(job.asked.guard, "")
            for name, job in self.jobs.items()
            if job.asked.guard
        }

    @cached_property
    def parts(self) -> dict[str, PartNames]:
        """Of the candidates that are two plans, the names under which each of them is a variant of its own."""
        two = [name for name, job in self.jobs.items() if is_rule(job.plans()[1])]
        return {name: PartNames(f"{name}, first plan alone", f"{name}, second plan alone") for name in two}

    def alone_parts(self) -> frozenset[str]:
        """All of those names."""
        return frozenset(part for parts in self.parts.values() for part in parts)

    @cached_property
    def counted(self) -> dict[str, Escalated]:
        """Of the candidates that are two plans, what their inferences were while they were timed."""
        rules = {name: rule_at(self.jobs[name].plans()[1]) for name in self.parts}
        sense = BoardSense(self.job.home) if any(rule.limits.sensed for rule in rules.values()) else None
        return {name: Escalated(rule, sense) for name, rule in rules.items()}

    def mixture(self) -> Mixture | None:
        """Samples that all plans are timed on in turn, where one of them does what its input wants; None: one does for all."""
        if not self.parts or self.spec.workload.needs_images:
            return None
        if self._mixture is None:
            self._mixture = Mixture(self.job.some_feeds(TIMED_SAMPLES, TIMED_BYTES), self.spec.seed)
        return self._mixture

    @property
    def out_of_process(self) -> bool:
        """See `base.Backend`."""
        return self.backend.out_of_process

    def plans(self) -> dict[str, Path]:
        """Plans by the names of the variants, the baseline first; without those that were lost."""
        found = {BASELINE: self.job.plans()[0]}
        for name, job in self.jobs.items():
            found[name] = job.plans()[1]
            if name in self.parts and name not in self.lost:
                found |= dict(zip(self.parts[name], files_of(found[name]), strict=True))
        found |= {GUARD: self._guard_plan} if self._guard_plan is not None else {}
        return {name: plan for name, plan in found.items() if name not in self.lost}

    def lose(self, name: str, error: EdgetuiError) -> None:
        """Go on without a variant that cannot be measured; its run fails, and the others are whole.

        Raises:
            EdgetuiError: nothing is left to go on with.
        """
        if name == GUARD:
            self.lost.add(name)
            for guarded in self.guarded():
                self.jobs[guarded].say.warn(f"there is no FP16 plan to hold INT8 against: {error.what}")
            return
        job = self.jobs.get(name)
        if job is None or len(self.jobs) - len(self.lost) == 1:
            raise error
        self.lost.add(name)
        job.say.failed(error)

    @contextmanager
    def sessions(self, names: Iterable[str], *, cooperative: bool = True) -> Iterator[dict[str, Session]]:
        """Loaded plans, closed again however it ends. `cooperative`: they are run in turns, and not for timing."""
        loaded: dict[str, Session] = {}
        with ExitStack() as stack:
            for name in names:
                loaded[name] = self.load(name, cooperative=cooperative)
                stack.callback(loaded[name].close)
            stack.callback(_close, loaded)
            yield loaded

    def load(self, name: str, *, cooperative: bool) -> Session:
        """One plan, which whoever takes it closes; `sessions` closes what stands in its dictionary at the end."""
        give_back_freed()  # by those that were closed
        loaded = load_plan(
            self.backend,
            self.plans()[name],
            self.settings(name),
            cooperative=cooperative,
            counted=None if cooperative else self.counted.get(name),
        )
        give_back_freed()
        return loaded

    def settings(self, name: str) -> BackendSettings:
        """What a variant is run with."""
        whole = next((whole for whole, parts in self.parts.items() if name in parts), name)
        return self.jobs[whole].spec.candidate_backend if whole in self.jobs else self.spec.backend

    def fit(self, names: Sequence[str], alone: Mapping[str, Metrics]) -> bool:
        """Whether these variants can be loaded together in the memory that is free.

        alone: what was seen of each plan by itself; it takes what its process held beyond a bare one, 1.5 times its file
        at least.
        """
        plans, free_mb = self.plans(), read_memory().available_mb
        need_mb = sum(_need_mb(plans[name], alone[name].memory_mb) for name in names)
        if free_mb is None or need_mb <= free_mb:
            return True
        self.say.note(f"{', '.join(names)} take about {math.ceil(need_mb)} MB together, and {int(free_mb)} MB are free")
        return False

    def loads(self, alone: Mapping[str, Metrics]) -> list[list[str]]:
        """Which variants are compared at a time: all, or, where they do not fit together, each with the baseline."""
        if self.fit(list(alone), alone):
            return [list(alone)]
        return [[BASELINE, name] for name in alone if name != BASELINE]

    def seen_alone(self) -> dict[str, Metrics]:
        """What `measure` has seen of each plan by itself; nothing where nothing is measured."""
        if self.spec.half:
            return {name: Metrics() for name in self.plans()}
        outcomes = {name: job.made("measure")[1] for name, job in self.candidates().items()}
        found = {BASELINE: next(iter(outcomes.values())).baseline}
        found |= {name: outcome.candidate for name, outcome in outcomes.items()}
        for name, parts in self.parts.items():
            told = outcomes[name].candidate.escalation if name in outcomes else UNSET
            if isinstance(told, Escalation):
                for part, figures in zip(parts, (told.narrow, told.wide), strict=True):
                    found[part] = Metrics(memory_mb=MemoryMb(process_peak=figures.process_peak_mb))
        guard = next((outcomes[name].guard for name in self.guarded() if name in outcomes), None)
        return {**found, GUARD: guard} if guard is not None and GUARD in self.plans() else found

    def candidates(self) -> dict[str, Job]:
        """The jobs that are not lost."""
        return {name: job for name, job in self.jobs.items() if name not in self.lost}

    def guarded(self) -> list[str]:
        """Candidates that the plan guards which was built for that."""
        return [name for name, guard in self._guards.items() if guard == GUARD]

    def guard_of(self, name: str) -> str | None:
        """The variant that guards a candidate; None: there is none."""
        guard = self._guards.get(name)
        return guard if guard in self.plans() else None

    def guard_run(self, name: str) -> str | None:
        """The run of that variant; None: it was built for this one."""
        job = self.jobs.get(self._guards.get(name, ""))
        return None if job is None else job.asked.run

    def guard_made(self, name: str) -> Outcome:
        """What is known of the guard of a candidate where another run made it: its sizes."""
        job = self.jobs.get(self._guards.get(name, ""))
        parts = [] if job is None else [job.made(kind)[1] for kind in ("lower", "build")]
        found = Outcome()
        for part in parts:
            found = over(found, part)
        return found

    def pairs(self) -> list[tuple[str, str, Pair]]:
        """Names of every two candidates, and the empty pair of their runs."""
        left = list(self.candidates().items())
        return [
            (one, other, Pair(a=job.asked.run, b=after.asked.run))
            for place, (one, job) in enumerate(left)
            for other, after in left[place + 1 :]
        ]

    def told(self, outcomes: Mapping[str, Outcome]) -> list[Outcome | None]:
        """Outcomes in the order of the jobs, with what was warned of; None where a run was lost."""
        found: list[Outcome | None] = []
        for name, job in self.jobs.items():
            made = outcomes.get(name)
            warnings = tuple(dict.fromkeys([*self.say.warnings, *job.say.warnings]))
            found.append(None if made is None else msgspec.structs.replace(made, warnings=warnings))
        return found


def _need_mb(plan: Path, seen: MemoryMb) -> float:
    held = (seen.process_peak or 0.0) - BARE_MB
    size = sum(file.stat().st_size for file in files_of(plan))
    return max(HELD * size / 1e6, held, seen.plan or 0.0)


class TeamReporter:
    """A `Reporter` that all runs of a team hear, but for readings: each hears of its own candidate, by that name."""

    def __init__(self, say: Reporter, team: Team) -> None:
        self._say, self._team = say, team
        self.progress, self.note, self.warn, self.warnings = say.progress, say.note, say.warn, say.warnings
        self.failed, self.window, self.learning = say.failed, say.window, say.learning

    def reading(self, side: str, latency_ms: float, mean_ms: float, half_width: float | None, samples: int) -> None:
        """To whom it concerns."""
        jobs = self._team.jobs
        if side in self._team.alone_parts():
            return  # a run tells of what it deploys
        if side == GUARD:
            heard = [(jobs[name].say, GUARD) for name in self._team.guarded()]
        else:
            heard = [(jobs[side].say, CANDIDATE) if side in jobs else (self._say, side)]
        for say, name in heard:
            say.reading(name, latency_ms, mean_ms, half_width, samples)


def _labels(jobs: Sequence[Job]) -> list[str]:
    """`candidate`; of several their recipes' names, numbered where they are the same."""
    if len(jobs) == 1:
        return [CANDIDATE]
    found: list[str] = []
    for job in jobs:
        name = job.spec.recipe.name or "recipe"
        again = sum(1 for other in found if other.partition(" #")[0] == name)
        found.append(f"{name} #{again + 1}" if again else name)
    return found


def _close(loaded: Mapping[str, Session]) -> None:
    """Those that were loaded anew meanwhile among them."""
    for session in loaded.values():
        session.close()
