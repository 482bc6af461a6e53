"""What each stage does: the only file that knows compression, backends and measurement at once.

Runs inside a stage's child process (`child.py`). Each method reads files of earlier stages from the cache, writes files
into `self.out`, and returns an Outcome.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from .backends.base import Backend, Session
from .backends.onnxruntime import OnnxRuntime
from .backends.tensorrt import TensorRt
from .cache import Cache
from .errors import BackendRefused, EdgetuiError, ModelRefused, RunFailed
from .outcome import Outcome
from .parts import narrowed
from .result import Difference, Metrics, ModelFacts
from .rundir import Asked
from .say import Say, Stretch
from .spec import BackendSettings, QuantizeInt8
from .stages import Stage, needs_samples, plan_stages
from .steps import do_step

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .data.open import Part
    from .data.samples import Samples

    Feeds = Mapping[str, NDArray[np.generic]]

VERIFY_SAMPLES = 32
TRIED_SAMPLES = 8
"""Where the plan is for another machine: ONNX Runtime tries its graph."""
OUTSIDE_SAMPLES = 4
"""Where every inference is a process of its own, of some seconds."""


class Job:
    """One stage of one run."""

    def __init__(self, home: Path, asked: Asked, name: str, out: Path, say: Say) -> None:
        self.home, self.asked, self.spec, self.out, self.say = home, asked, asked.spec, out, say
        self.cache = Cache(home)
        self.stages = plan_stages(asked)
        self.stage = next(stage for stage in self.stages if stage.name == name)
        self.backend: Backend = backend(self.spec.backend, home)

    def do(self) -> Outcome:
        """Do the stage."""
        try:
            made: Outcome = getattr(self, f"_{self.stage.kind}")()
        except EdgetuiError as error:
            narrowed(error, Path(self.spec.model))
            raise
        warned = getattr(self.say, "warnings", [])
        return msgspec.structs.replace(made, warnings=tuple(warned))

    # what earlier stages left

    def _before(self) -> Path:
        """The graph that this stage begins with."""
        place = self.stages.index(self.stage)
        return self.cache.path(self.stages[place - 1].key) / "model.onnx"

    def _made(self, kind: str) -> tuple[Path, Outcome]:
        """Folder and facts of the last stage of a kind."""
        stage: Stage = [s for s in self.stages if s.kind == kind][-1]
        facts = self.cache.get(stage.key)
        if facts is None:
            raise RunFailed(f"the output of {stage.name} is gone from the cache", fix=f"`edgetui resume {self.asked.run}`")
        return self.cache.path(stage.key), facts

    def _model(self) -> ModelFacts:
        facts = self._made("inspect")[1].model
        assert facts is not None
        return facts

    # samples

    def _samples(self, part: Part) -> Samples | None:
        """Samples for `calibration` or `evaluation`; None when no data were named."""
        from .parts import open_part

        facts = self._model()
        return open_part(self.spec, part, facts.inputs, facts.shapes, self.say)

    def _one(self) -> Feeds:
        """One sample to time with; made up when there are no data, which is said."""
        shown = self._samples("evaluation")
        if shown is not None:
            return next(shown.take(1).batches(self._batch(), padded=True)).feeds
        self.say.warn("no data given: latency is measured on made-up inputs, and outputs are compared on them")
        return self._made_up(0)

    def _made_up(self, seed: int) -> Feeds:
        from .measure.inputs import made_up

        facts = self._model()
        return made_up(facts.inputs, facts.shapes, seed)

    def _batch(self) -> int:
        """Samples in one inference: the first axis of the first input."""
        return next((shape[0] for shape in self._model().shapes.values() if shape), 1)

    def _feeds(self, samples: Samples, most: int) -> Iterator[Feeds]:
        """Batches as the model is run with them, of at most so many samples."""
        return (batch.feeds for batch in samples.take(most).batches(self._batch(), padded=True))

    # stages

    def _inspect(self) -> Outcome:
        from .graph.inspect import inspect
        from .parts import refuse_unfit, refuse_unread

        self.backend.check(self.spec.backend, execute=any(stage.kind == "verify" for stage in self.stages))
        facts = inspect(Path(self.spec.model), self.spec.shapes)
        if facts.open_axes:
            raise open_axes(facts)
        refuse_unread(facts.refused.get(self.backend.name, ()), self.backend.name, facts.name)
        if isinstance(self.backend, TensorRt):
            self._say_of_reader(facts, self.backend.reader(self.spec.backend))
        if facts.quantized and any(isinstance(s, QuantizeInt8) for s in self.spec.recipe.active):
            raise ModelRefused(f"{facts.name} is quantized already", fix="start from its FP32 export")
        refuse_unfit(self.spec, facts.inputs, facts.shapes, self.say)
        text = f"{facts.parameters:_} parameters, opset {facts.opset}".replace("_", " ")
        return Outcome(summary=text, model=facts, backend=self.backend.stamp(self.spec.backend))

    def _say_of_reader(self, facts: ModelFacts, reader: str) -> None:
        """What the TensorRT that is here refuses of a model that TensorRT of today reads. No error yet: steps may mend it."""
        from .graph.lint import lint
        from .graph.load import load

        if reader == "tensorrt-rtx":
            refused = facts.refused.get(reader, ())
        else:
            refused = () if reader == "tensorrt" else tuple(lint(load(Path(self.spec.model)), reader))
        for line in refused[:3]:
            self.say.warn(f"{reader} cannot read {facts.name} as it is: {line}")

    def _normalise(self) -> Outcome:
        from .graph.normalise import normalise, settled_only

        shapes = self._model().shapes
        settled_only(Path(self.spec.model), self.out / "baseline.onnx", shapes)
        return Outcome(summary=normalise(Path(self.spec.model), self.out / "model.onnx", shapes, self.say))

    def _step(self) -> Outcome:
        step = self.spec.recipe.active[self.stage.step]
        samples = self._samples("calibration") if needs_samples(step) else None
        text, stamp = do_step(step, self._before(), self.out / "model.onnx", samples, self._batch(), self.say)
        return Outcome(summary=text, dataset=stamp)

    def _lower(self) -> Outcome:
        from .compress.lower import lower
        from .graph.inspect import counts
        from .graph.lint import lint
        from .graph.load import load
        from .graph.loadable import with_sizes
        from .measure.sizes import gz_bytes, size_bytes

        source = self._before()
        text = lower(source, self.out / "model.onnx", self.backend.target(), self.say)
        if self.backend.name != "onnxruntime":
            with_sizes(self.out / "model.onnx", self._model().shapes, self.out / "model.onnx")
        files = {"onnx": "model.onnx"}
        if isinstance(self.backend, TensorRt):
            refusals = lint(load(self.out / "model.onnx"), self.backend.reader(self.spec.backend))
            if refusals:
                what, _, fix = refusals[0].partition("; ")
                raise BackendRefused(f"TensorRT would refuse the lowered model: {what}", fix=fix or "export it again")
        else:
            self._lower_for_tensorrt(source, files)
        model = self._model()
        parameters, nonzero, macs = counts(source, model.shapes)
        original, lowered = self._made("normalise")[0] / "baseline.onnx", self.out / "model.onnx"
        baseline = Metrics(
            size_bytes=model.size_bytes,
            size_gz_bytes=gz_bytes([original]),
            parameters=model.parameters,
            nonzero=model.nonzero,
            macs=model.macs,
        )
        candidate = Metrics(
            size_bytes=size_bytes([lowered]),
            size_gz_bytes=gz_bytes([lowered]),
            parameters=parameters,
            nonzero=nonzero,
            macs=macs,
        )
        if self.backend.name == "tensorrt" and not self.spec.backend.target:  # the plans are what is deployed and compared
            baseline, candidate = (
                msgspec.structs.replace(m, size_bytes=None, size_gz_bytes=None) for m in (baseline, candidate)
            )
        ratio = candidate.size_bytes / baseline.size_bytes if candidate.size_bytes and baseline.size_bytes else None
        made = Outcome(
            summary=text, files=files, baseline=baseline, candidate=candidate, difference=Difference(size_ratio=ratio)
        )
        unseen = self.spec.backend.target and any(map(needs_samples, self.spec.recipe.active))
        return self._tried(made, original, lowered) if unseen else made

    def _tried(self, made: Outcome, original: Path, lowered: Path) -> Outcome:
        """The same, after ONNX Runtime has tried the graph on calibration samples: its plan will not run here."""
        from .ruined import judged

        shown = self._samples("calibration")
        feeds = [] if shown is None else list(self._feeds(shown, TRIED_SAMPLES))
        return judged(made, original, lowered, feeds, len(feeds) * self._batch(), self.spec.recipe.active, self.say)

    def _lower_for_tensorrt(self, source: Path, files: dict[str, str]) -> None:
        """The same for TensorRT, beside it: to be built elsewhere."""
        from .compress.lower import lower
        from .graph.lint import lint
        from .graph.load import load
        from .graph.loadable import with_sizes

        try:
            lower(source, self.out / "tensorrt.onnx", "tensorrt", self.say)
            with_sizes(self.out / "tensorrt.onnx", self._model().shapes, self.out / "tensorrt.onnx")
            refusals = lint(load(self.out / "tensorrt.onnx"), "tensorrt")
            files["onnx_tensorrt"] = "tensorrt.onnx"
            for sentence in refusals[:5]:
                self.say.note(f"TensorRT would refuse: {sentence}")
        except ModelRefused as error:
            self.say.note(f"no file for TensorRT: {error.what}")

    def _build(self) -> Outcome:
        from .graph.loadable import with_sizes

        lowered = self._made("lower")[0] / "model.onnx"
        original = self._made("normalise")[0] / "baseline.onnx"
        settings = self.spec.backend
        baseline, plan = (self.out / f"{name}{self.backend.suffix}" for name in ("baseline", "plan"))
        files = {"plan": plan.name}
        if settings.target:  # nothing will be run here, so there is nothing to compare with
            text = self.backend.build(lowered, plan, settings, self.say)
        else:
            self.say.progress(0, 2, "baseline")
            if self.backend.name != "onnxruntime":
                original = with_sizes(original, self._model().shapes, self.out / "settled.onnx")
            self.backend.build(original, baseline, settings, Stretch(self.say, 0, 0.5))
            files["baseline_plan"] = baseline.name
            self.say.progress(1, 2, "candidate")
            text = self.backend.build(lowered, plan, settings, Stretch(self.say, 0.5, 1))
        for word, file in (("manifest", plan), ("baseline_manifest", baseline)):
            if file.with_name(f"{file.name}.json").is_file():
                files[word] = f"{file.name}.json"
        made = Outcome(
            summary=text,
            files=files,
            backend=self.backend.stamp(settings),
            candidate=Metrics(plan_bytes=plan.stat().st_size),
        )
        if settings.target:
            return made
        before, after = baseline.stat().st_size, plan.stat().st_size
        if self.backend.name != "tensorrt":
            return msgspec.structs.replace(made, baseline=Metrics(plan_bytes=before))
        return msgspec.structs.replace(
            made,
            baseline=Metrics(plan_bytes=before, size_bytes=before),
            candidate=Metrics(plan_bytes=after, size_bytes=after),
            difference=Difference(size_ratio=after / before),
        )

    def _plans(self) -> tuple[Path, Path]:
        folder, _ = self._made("build")
        return folder / f"baseline{self.backend.suffix}", folder / f"plan{self.backend.suffix}"

    @contextmanager
    def _sessions(self, *, in_turns: bool = True) -> Iterator[tuple[Session, Session]]:
        """Baseline and candidate, closed again however it ends. `in_turns`: they are run in turns, and not for timing."""
        with ExitStack() as stack:
            loaded = []
            for plan in self._plans():
                loaded.append(self.backend.load(plan, self.spec.backend, in_turns=in_turns))
                stack.callback(loaded[-1].close)
            yield loaded[0], loaded[1]

    def _verify(self) -> Outcome:
        from .evaluate import refuse_labels
        from .measure.ruin import Ruin
        from .ruined import LOOKED_INTO, warned
        from .verify import LEAST_COSINE, LEAST_COSINE_UNFUSED, outputs_of, verify

        shown = self._samples("evaluation")
        most = OUTSIDE_SAMPLES if self.backend.outside else VERIFY_SAMPLES
        if shown is not None:
            feeds, count = self._feeds(shown, most), min(len(shown), most)
        else:
            feeds, count = (self._made_up(seed) for seed in range(most)), most
        lowered = self._made("lower")[0] / "model.onnx" if self.backend.name != "onnxruntime" else None
        with self._sessions() as sessions:
            if shown is not None and shown.labels and self.spec.measure and not self.backend.outside:
                refuse_labels(sessions[0], shown, self._batch())
            least = LEAST_COSINE_UNFUSED if self.backend.name == "torch" else LEAST_COSINE
            original, normal = (self._made("normalise")[0] / name for name in ("baseline.onnx", "model.onnx"))
            said, limit = outputs_of(normal), self.spec.recipe.least_cosine  # the original's shapes may be computed inside
            ruin = Ruin(said, slices=shown is not None)
            made = verify(sessions, feeds, count, lowered, limit, self.say, least, original, ruin, said)
        again = self._feeds(shown, LOOKED_INTO) if shown is not None else (self._made_up(seed) for seed in range(LOOKED_INTO))
        within = (normal, self._made("lower")[0] / "model.onnx")
        return warned(made, ruin, within, again, count, self.spec.recipe.active, self.say)

    def _measure(self) -> Outcome:
        import numpy as np

        from . import boards
        from .measure.paired import measure

        spec = self.spec
        board = boards.stamp()
        feeds = self._one()
        alone = {side: Metrics() if self.backend.outside else self._probe(side) for side in ("baseline", "candidate")}
        with self._sessions(in_turns=False) as (reference, candidate):
            found = measure(reference, candidate, feeds, spec.workload, spec.preset, spec.seed, self.say)
            device_ms = {"baseline": reference.device_ms(), "candidate": candidate.device_ms()}
        assert found.candidate is not None
        np.savez_compressed(self.out / "latencies.npz", **found.raw)  # type: ignore[arg-type]
        sides = {}
        for side, latency in (("baseline", found.baseline), ("candidate", found.candidate)):
            fps = 1000 / latency.mean if latency.mean else None
            sides[side] = msgspec.structs.replace(alone[side], latency_ms=latency, fps=fps, device_ms=device_ms[side])
        peaks = [sides[side].memory_mb.process_peak for side in ("baseline", "candidate")]
        memory_ratio = peaks[1] / peaks[0] if peaks[0] and peaks[1] else None
        return Outcome(
            summary=latency_words(found.ratio.value, found.ratio.low, found.ratio.high),
            files={"latencies": "latencies.npz"},
            board=board,
            backend=self.backend.stamp(spec.backend),
            baseline=sides["baseline"],
            candidate=sides["candidate"],
            difference=Difference(latency_ratio=found.ratio, memory_ratio=memory_ratio),
            reasons=dict(found.reasons),
        )

    def _probe(self, side: str) -> Metrics:
        """Load time, first inference and memory of one plan, alone in a process of its own."""
        self.say.note(f"loading the {side} alone, for its memory and first inference")
        argv = [sys.executable, "-m", "edgetui.engine.probing", str(self.home), self.asked.run, side]
        ended = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False)
        sys.stderr.write(ended.stderr.decode(errors="replace"))
        if ended.returncode != 0:
            raise RunFailed(
                f"loading the {side} alone failed", fix=f"`edgetui show {self.asked.run}` and its log.txt tell more"
            )
        return msgspec.json.decode(ended.stdout, type=Metrics)

    def probe(self, side: str) -> Metrics:
        """What `engine.probing` does in its process."""
        from .measure.probe import probe

        plan = self._plans()[0 if side == "baseline" else 1]
        found = probe(self.backend, plan, self.spec.backend, self._one())
        return Metrics(load_ms=found.load_ms, first_ms=found.first_ms, memory_mb=found.memory)

    def _evaluate(self) -> Outcome:
        from .evaluate import evaluate
        from .verify import outputs_of

        samples = self._samples("evaluation")
        assert samples is not None
        if self.spec.dataset is None:
            self.say.warn("fidelity is over the calibration samples: no other data were given")
        if self.backend.outside:
            samples = samples.take(OUTSIDE_SAMPLES)
            self.say.warn(f"trtexec runs a process for each inference: {OUTSIDE_SAMPLES} samples were evaluated")
        said = outputs_of(self._made("normalise")[0] / "model.onnx")
        with self._sessions() as sessions:
            return evaluate(*sessions, samples, self._batch(), self.spec, self.say, said)


def backend(settings: BackendSettings, home: Path) -> Backend:
    """The backend of a name; what it keeps between runs lies in the state folder `home`."""
    if settings.name == "torch":
        from .backends.torch import Torch  # with it come onnx and the tables of operators

        return Torch(home / "compiled")
    return TensorRt(home / "timing") if settings.name == "tensorrt" else OnnxRuntime()


def latency_words(value: float | None, low: float | None, high: float | None) -> str:
    """One line of the latency ratio."""
    within = f" [{low:.3f}, {high:.3f}]" if low is not None and high is not None else ""
    return "no ratio" if value is None else f"ratio {value:.3f}{within}"


def open_axes(facts: ModelFacts) -> ModelRefused:
    """The error for axes without a size, with the flags that give them."""
    flags = " ".join(f"--shape {axes}" for axes in facts.open_axes)
    return ModelRefused(f"{facts.name} has axes without a size", fix=f"give each `?` a number: {flags}")
