"""What a stage leaves beside its files: facts for the log and parts of the result, and how the parts make the whole."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TypeVar

import msgspec
from msgspec import UNSET, Struct, UnsetType

from ..advice.comparable import conditions
from ..advice.payback import with_payback
from ..advice.verdict import verdicts
from ..library.recipes import recipe_toml
from ..schema.failure import Failure
from ..schema.figures import Correction, Difference, Metrics, Pair
from ..schema.model_facts import ModelFacts
from ..schema.output_figures import Fidelity
from ..schema.ready import ready
from ..schema.result import SCHEMA, Result, StageFigures, State
from ..schema.spec import RunRequest, RunSpec
from ..schema.stamps import BackendStamp, BoardStamp, DatasetStamp, RecipeStamp
from .missing_values import why_unknown


class Outcome(Struct, frozen=True, kw_only=True):
    """outcome.json of a stage; parts that a stage does not know keep their defaults."""

    summary: str = ""
    seconds: float | None = None
    peak_mb: float | None = None
    energy_j: float | None = None
    """Joules of the whole board, or of what its sensor covers, while the stage worked."""
    energy_reason: str = ""
    """Why they are not known."""
    warnings: tuple[str, ...] = ()
    reasons: dict[str, str] = {}
    files: dict[str, str] = {}
    """Artifact word (`onnx`, `plan`, ...) to the file's name in the stage's folder."""
    sums: dict[str, str] = {}
    """Every file of the stage's folder to its size and checksum, as the cache took it."""
    original_gz_bytes: int | None = None
    """Bytes of the model as it was given, its external data too, packed: `normalise` has the time for it, and `lower` says the
    figure beside the candidate's."""
    model: ModelFacts | None = None
    dataset: DatasetStamp | None = None
    board: BoardStamp = BoardStamp()
    backend: BackendStamp = BackendStamp()
    candidate_backend: BackendStamp | None = None
    baseline: Metrics = Metrics()
    candidate: Metrics = Metrics()
    difference: Difference = Difference()
    guard: Metrics | None = None
    guard_run: str | None = None
    guard_difference: Difference | UnsetType = UNSET
    guard_fidelity: Fidelity | UnsetType = UNSET
    correction: Correction = Correction()
    pairs: tuple[Pair, ...] = ()
    fidelity: Fidelity = Fidelity()


decode = msgspec.json.Decoder(ready(Outcome)).decode
encode = msgspec.json.encode
S = TypeVar("S", bound=Struct)


def over(below: S, above: S) -> S:
    """`above` where it says something (differs from its default), `below` elsewhere; nested structs likewise."""
    changes = {}
    for field in msgspec.structs.fields(type(below)):
        old, new = getattr(below, field.name), getattr(above, field.name)
        if isinstance(old, Struct) and type(old) is type(new):
            changes[field.name] = over(old, new)
        elif new is not None and new != _unsaid(field):
            changes[field.name] = new
    return msgspec.structs.replace(below, **changes)


def of_guard(part: Outcome) -> Outcome:
    """What a stage that makes the guard says, in the terms of the run that it guards."""
    return Outcome(
        summary=part.summary,
        seconds=part.seconds,
        peak_mb=part.peak_mb,
        energy_j=part.energy_j,
        energy_reason=part.energy_reason,
        files=part.files,
        warnings=tuple(f"the FP16 plan beside it: {warning}" for warning in part.warnings),
        guard=part.candidate,
        guard_difference=part.difference,
        guard_fidelity=part.fidelity,
        reasons={path.replace("candidate.", "guard.", 1): why for path, why in part.reasons.items() if "candidate." in path},
    )


def _read(below: DatasetStamp | None, above: DatasetStamp | None) -> DatasetStamp | None:
    """What steps and evaluation say of the data; of what calibrates the most, for each step reads the first of one order."""
    if below is None or above is None:
        return above or below
    found = over(below, above)
    if (below.calibrated or 0) <= (above.calibrated or 0):
        return found
    return msgspec.structs.replace(found, calibrated=below.calibrated, calibration=below.calibration)


def _paired(below: tuple[Pair, ...], above: tuple[Pair, ...]) -> tuple[Pair, ...]:
    """What several stages say of the same two runs, together."""
    found = {(pair.a, pair.b): pair for pair in below}
    for pair in above:
        runs = (pair.a, pair.b)
        found[runs] = over(found[runs], pair) if runs in found else pair
    return tuple(found.values())


def _unsaid(field: msgspec.structs.FieldInfo) -> object:
    """What a field is while nothing was said of it; that of a table is made anew each time."""
    return field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()


def compose(
    asked: RunRequest,
    state: State,
    done: Iterable[tuple[str, bool, Outcome]],
    verdict: dict[str, str],
    artifacts: dict[str, str],
    error: Failure | None = None,
    recorded: Collection[str] = (),
) -> Result:
    """The result document from what the stages left; `done` is (name, came from the cache, outcome) in order.

    `recorded`: what the run's own telemetry holds (`telemetry_log.recorded`).
    """
    spec = asked.spec
    whole, warnings = Outcome(), []
    figures: list[StageFigures] = []
    reasons: dict[str, str] = {}
    for name, cached, part in done:
        data = _read(whole.dataset, part.dataset)
        whole = msgspec.structs.replace(over(whole, part), pairs=_paired(whole.pairs, part.pairs), dataset=data)
        if part.fidelity != Fidelity():  # of more samples than what an earlier stage left, which alone looked for ruins
            fidelity = msgspec.structs.replace(part.fidelity, ruined=whole.fidelity.ruined)
            whole = msgspec.structs.replace(whole, fidelity=fidelity)
            reasons = {path: why for path, why in reasons.items() if not path.startswith("fidelity.")}
        warnings += [w for w in part.warnings if w not in warnings]
        reasons.update(part.reasons)
        if part.energy_reason:
            reasons[f"stages.{len(figures)}.energy_j"] = part.energy_reason
        figures.append(
            StageFigures(
                name=name,
                seconds=part.seconds,
                peak_mb=part.peak_mb,
                energy_j=part.energy_j,
                cached=cached,
                summary=f"{part.summary} (on {elsewhere})" if (elsewhere := _elsewhere(spec, name)) else part.summary,
            )
        )
    document = Result(
        run=asked.run,
        schema=SCHEMA,
        state=state,
        model=whole.model,
        recipe=RecipeStamp(name=spec.recipe.name, title=spec.recipe.title, toml=recipe_toml(spec.recipe)),
        dataset=whole.dataset,
        board=whole.board,
        backend=whole.backend,
        candidate_backend=whole.candidate_backend,
        trained_on=spec.trained.board if spec.trained is not None else "",
        preset=spec.preset,
        workload=spec.workload.kind,
        workload_text=spec.workload.text,
        conditions=conditions(asked, whole.model),
        baseline=whole.baseline,
        candidate=whole.candidate,
        difference=whole.difference,
        guard=whole.guard,
        guard_run=whole.guard_run,
        guard_difference=whole.guard_difference,
        guard_fidelity=whole.guard_fidelity,
        group=asked.group or None,
        correction=whole.correction,
        pairs=whole.pairs,
        verdict=verdict,
        fidelity=whole.fidelity,
        stages=tuple(figures),
        artifacts=artifacts,
        warnings=tuple(warnings),
        reasons=reasons,
        error=error,
    )
    return msgspec.structs.replace(document, reasons=why_unknown(document, spec, recorded))


def _elsewhere(spec: RunSpec, stage: str) -> str:
    """The board that made a stage's output, where it was another."""
    return spec.trained.board if spec.trained is not None and stage in spec.trained.keys else ""


def judged(document: Result) -> Result:
    """The document of a run that is done, with its verdict, and when it pays back."""
    words = verdicts(document.difference, document.baseline, document.candidate)
    if document.guard is not None and document.guard_difference:
        guarding = verdicts(document.guard_difference, document.baseline, document.guard)
        document = msgspec.structs.replace(document, guard_verdict=guarding)
    return with_payback(msgspec.structs.replace(document, verdict=words))
