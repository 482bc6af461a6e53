"""What a stage leaves beside its files: facts for the log and parts of the result, and how the parts make the whole."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import msgspec
from msgspec import Struct

from .alike import conditions
from .recipes import recipe_toml
from .result import (
    BackendStamp,
    BoardStamp,
    DatasetStamp,
    Difference,
    Failure,
    Fidelity,
    Metrics,
    ModelFacts,
    RecipeStamp,
    Result,
    StageFigures,
    State,
)
from .rundir import Asked
from .unknown import why_unknown


class Outcome(Struct, frozen=True, kw_only=True):
    """outcome.json of a stage; parts that a stage does not know keep their defaults."""

    summary: str = ""
    seconds: float | None = None
    peak_mb: float | None = None
    warnings: tuple[str, ...] = ()
    reasons: dict[str, str] = {}
    files: dict[str, str] = {}
    """Artifact word (`onnx`, `plan`, ...) to the file's name in the stage's folder."""
    sums: dict[str, str] = {}
    """Every file of the stage's folder to its size and checksum, as the cache took it."""
    model: ModelFacts | None = None
    dataset: DatasetStamp | None = None
    board: BoardStamp = BoardStamp()
    backend: BackendStamp = BackendStamp()
    baseline: Metrics = Metrics()
    candidate: Metrics = Metrics()
    difference: Difference = Difference()
    fidelity: Fidelity = Fidelity()


decode = msgspec.json.Decoder(Outcome).decode
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


def _unsaid(field: msgspec.structs.FieldInfo) -> object:
    """What a field is while nothing was said of it; that of a table is made anew each time."""
    return field.default if field.default_factory is msgspec.NODEFAULT else field.default_factory()


def compose(
    asked: Asked,
    state: State,
    done: Iterable[tuple[str, bool, Outcome]],
    verdict: dict[str, str],
    artifacts: dict[str, str],
    error: Failure | None = None,
) -> Result:
    """The result document from what the stages left; `done` is (name, came from the cache, outcome) in order."""
    spec = asked.spec
    whole, figures, warnings = Outcome(), [], []
    reasons: dict[str, str] = {}
    for name, cached, part in done:
        whole = over(whole, part)
        if part.dataset is not None:
            whole = msgspec.structs.replace(whole, dataset=over(whole.dataset or DatasetStamp(), part.dataset))
        if part.fidelity != Fidelity():  # of more samples than what an earlier stage left, which alone looked for ruins
            fidelity = msgspec.structs.replace(part.fidelity, ruined=whole.fidelity.ruined)
            whole = msgspec.structs.replace(whole, fidelity=fidelity)
            reasons = {path: why for path, why in reasons.items() if not path.startswith("fidelity.")}
        warnings += [w for w in part.warnings if w not in warnings]
        reasons.update(part.reasons)
        figures.append(StageFigures(name=name, seconds=part.seconds, peak_mb=part.peak_mb, cached=cached, summary=part.summary))
    document = Result(
        run=asked.run,
        state=state,
        model=whole.model,
        recipe=RecipeStamp(name=spec.recipe.name, title=spec.recipe.title, toml=recipe_toml(spec.recipe)),
        dataset=whole.dataset,
        board=whole.board,
        backend=whole.backend,
        preset=spec.preset,
        workload=str(spec.workload.__struct_config__.tag),
        conditions=conditions(asked),
        baseline=whole.baseline,
        candidate=whole.candidate,
        difference=whole.difference,
        verdict=verdict,
        fidelity=whole.fidelity,
        stages=tuple(figures),
        artifacts=artifacts,
        warnings=tuple(warnings),
        reasons=reasons,
        error=error,
    )
    return msgspec.structs.replace(document, reasons=why_unknown(document, spec))
