"""One stage of one run: what earlier stages left, the samples, the plans. What a stage does with them is in `stages/`."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ..backends.base import Backend, Session
from ..backends.cards import CARDS, open_backend
from ..config import load_config
from ..errors import ConfigRefused, RunFailed
from ..runs.cache import StageCache
from ..runs.outcome import Outcome
from ..runs.stages import Stage, guard_stages, guarding, plan_stages
from ..schema.model_facts import ModelFacts
from ..schema.spec import RunRequest
from ..system.reporter import Reporter
from ..telemetry.alerts import DEFAULT_RULES, AlertRule
from .two_plans import TWO, load_plan

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..data.open import Part
    from ..data.samples import Samples
    from ..measure.issuer import Camera

    Feeds = Mapping[str, NDArray[np.generic]]

OUT_OF_PROCESS_SAMPLES = 4
"""Where every inference is a process of its own, of some seconds."""


class Job:
    """One stage of one run: reads files of earlier stages from the cache; the stage writes files into `out`."""

    def __init__(self, home: Path, asked: RunRequest, name: str, out: Path, say: Reporter) -> None:
        self.home, self.asked, self.spec, self.out, self.say = home, asked, asked.spec, out, say
        self.cache = StageCache(home)
        planned = plan_stages(asked)
        stage = next(stage for stage in planned if stage.name == name)
        if stage.guard:  # what makes the guard is a stage of an FP16 run
            self.asked, self.spec = guarding(asked), guarding(asked).spec
        self.stages = guard_stages(asked) if stage.guard else [each for each in planned if not each.guard]
        self.stage = next(each for each in self.stages if each.key == stage.key and each.kind == stage.kind)
        trained = self.spec.trained
        if trained is not None and name in trained.keys:
            what = f"the output of {name}, made on {trained.board}, is gone from the cache"
            raise RunFailed(what, fix="ask again with --on and --train-on: it is sent once more")
        self.card = CARDS[self.spec.backend.name]
        self.backend: Backend = open_backend(self.spec.backend, home)
        self.probes: list[subprocess.Popen[bytes]] = []
        """Processes that will load a plan alone, begun ahead."""

    def alert_rules(self) -> tuple[AlertRule, ...]:
        """What telemetry is watched for; what ships where the user's file can no longer be read, as it could when we began."""
        try:
            return load_config().alerts
        except ConfigRefused:
            return DEFAULT_RULES

    def before(self) -> Path:
        """The graph that this stage begins with."""
        return self._left_by(self.stages[self.stages.index(self.stage) - 1])[0] / "model.onnx"

    def made(self, kind: str) -> tuple[Path, Outcome]:
        """Folder and facts of the last stage of a kind."""
        return self._left_by([stage for stage in self.stages if stage.kind == kind][-1])

    def _left_by(self, stage: Stage) -> tuple[Path, Outcome]:
        folder, facts = self.cache.path(stage.key), self.cache.get(stage.key)
        if facts is None or not all((folder / name).is_file() for name in facts.sums):
            raise RunFailed(f"the output of {stage.name} is gone from the cache", fix=f"`edgetui resume {self.asked.run}`")
        return folder, facts

    def model(self) -> ModelFacts:
        """What `inspect` found."""
        facts = self.made("inspect")[1].model
        assert facts is not None
        return facts

    def samples(self, part: Part) -> Samples | None:
        """Samples for `calibration` or `evaluation`; None when no data were named."""
        from .splits import open_part

        facts = self.model()
        return open_part(self.spec, part, facts.inputs, facts.shapes, self.say)

    def one_sample(self) -> Feeds:
        """One sample to time with; made up when there are no data, which is said."""
        shown = self.samples("evaluation")
        if shown is not None:
            return next(shown.take(1).batches(self.batch_size(), padded=True)).feeds
        self.say.warn("no data given: latency is measured on made-up inputs, and outputs are compared on them")
        return self.random_inputs(0)

    def some_feeds(self, most: int, most_bytes: int) -> list[Feeds]:
        """Batches of samples, so many or as many as so many bytes hold, one at least; made up where there are no data."""
        shown = self.samples("evaluation")
        if shown is None:
            return [self.random_inputs(0)]
        found: list[Feeds] = []
        held = 0
        for one in shown.take(most * self.batch_size()).batches(self.batch_size(), padded=True):
            found.append(one.feeds)
            held += sum(array.nbytes for array in one.feeds.values())
            if held > most_bytes:
                break
        return found

    def camera(self, session: Session, feeds: Feeds) -> Camera | None:
        """Where whole frames come from; None: the workload takes none.

        Raises:
            DataRefused: the samples are no image files.
        """
        if not self.spec.workload.needs_images:
            return None
        from .camera import camera_of

        return camera_of(session, feeds, self.samples("evaluation"), self.spec, self.batch_size())

    def random_inputs(self, seed: int) -> Feeds:
        """Made-up inputs, the same for the same seed."""
        from ..measure.inputs import random_inputs

        facts = self.model()
        return random_inputs(facts.inputs, facts.shapes, seed)

    def batch_size(self) -> int:
        """Samples in one inference: the first axis of the first input."""
        return next((shape[0] for shape in self.model().shapes.values() if shape), 1)

    def feeds(self, samples: Samples, most: int) -> Iterator[Feeds]:
        """Batches as the model is run with them, of at most so many samples."""
        return (batch.feeds for batch in samples.take(most).batches(self.batch_size(), padded=True))

    def plans(self) -> tuple[Path, Path]:
        """Baseline and candidate, as `build` made them; where the candidate is two plans, their rule."""
        folder, made = self.made("build")
        plan = made.files.get(TWO, f"plan{self.backend.suffix}")
        return folder / f"baseline{self.backend.suffix}", folder / plan

    def guard_plan(self) -> Path | None:
        """The plan of the guard that was built for this run; None: there is none, or it could not be made."""
        if not self.asked.guard or self.asked.guard != self.asked.run:
            return None
        made = [stage for stage in plan_stages(self.asked) if stage.guard]
        if any(self.cache.get(stage.key) is None for stage in made):
            return None
        return Job(self.home, self.asked, made[-1].name, self.out, self.say).plans()[1]

    @contextmanager
    def sessions(self, *, cooperative: bool = True) -> Iterator[tuple[Session, Session]]:
        """Baseline and candidate, closed again however it ends. `cooperative`: they are run in turns, and not for timing."""
        with ExitStack() as stack:
            loaded = []
            for plan, settings in zip(self.plans(), (self.spec.backend, self.spec.candidate_backend), strict=True):
                loaded.append(load_plan(self.backend, plan, settings, cooperative=cooperative))
                stack.callback(loaded[-1].close)
            yield loaded[0], loaded[1]
