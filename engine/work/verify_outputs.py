"""The candidate beside the baseline, and a compiled plan beside ONNX Runtime on the same file. Part of the pipeline."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal

from ..backends.base import Session
from ..backends.card import Card
from ..backends.onnxruntime.adapter import OnnxRuntime
from ..errors import BackendRefused, ModelRefused, PlanRefused
from ..graph.computable_part import Cut, computable_file
from ..measure.fidelity import FidelityMeter
from ..measure.ruin import Ruin
from ..measure.sums import fidelity_sentence
from ..runs.outcome import Outcome
from ..schema.output_figures import Fidelity
from ..schema.settings import BackendSettings
from ..system.reporter import Reporter
from ..tasks.exporter import ExportNotes
from .told_layouts import layouts_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from ..graph.output_meaning import Meaning

    Feeds = Mapping[str, NDArray[np.generic]]

_BUILD_OTHERWISE = (
    "leave precision.fp16 out where the recipe has it, or `keep` sums and powers; else exclude nodes from its steps "
    "until the plan is right"
)
_MILDER = "exclude those nodes from the recipe's steps, or choose a milder recipe"


def verify(
    sessions: tuple[Session, Session],
    feeds: Iterable[Feeds],
    of: int,
    lowered: Path | None,
    least_cosine: float | None,
    say: Reporter,
    least_built: float | None = Card.least_cosine,
    model: Path | None = None,
    ruin: Ruin | None = None,
    said: Mapping[str, Meaning] | None = None,
    notes: ExportNotes | None = None,
) -> Outcome:
    """Run some samples through baseline and candidate; say how far their outputs are apart.

    of: how many samples there are. lowered: the file the candidate was built from, when ONNX Runtime shall say what it should
    compute. least_cosine: the recipe's limit, for quantities; where an output is none, for the share of equal elements.
    least_built: how near the candidate must be to ONNX Runtime; None: it is that.
    model: the original; where ONNX Runtime cannot compute all of `lowered`, what enters the operators that it does not know is
    compared with the original's.
    ruin: gets both sides' outputs as well. said: what the outputs are; None: as the original or else `lowered` says.
    notes: what the exporter says of them.

    Raises:
        PlanRefused: outputs are not finite, further apart than the recipe allows, or not what the lowered file computes.
    """
    baseline, candidate = sessions
    reference, heads = _references(model, lowered, say)
    said = said if said is not None else outputs_of(model or lowered)
    near, built, entering = FidelityMeter(said), FidelityMeter(said, chance=True), FidelityMeter()
    kept: list[Feeds] = []
    for done, one in enumerate(feeds, 1):
        outputs = candidate.run(one)
        expected = baseline.run(one)
        if done == 1:
            for layout in layouts_of(one, expected, notes or ExportNotes()):
                near.read_as(layout)
        near.add(expected, outputs)
        if ruin is not None:
            ruin.add(expected, outputs)
        if reference is not None:
            kept.append(one)
            expected = reference.run(one)
            built.add(_common(expected, outputs), outputs)
            if heads is not None:
                entering.add(_common(heads.run(one), expected), expected)
        say.progress(done, of, "samples")
    for session in filter(None, (reference, heads)):
        session.close()
    told = (heads is None and reference is not None) or built.figures().cosine is not None
    if least_built is not None and told:
        whole = lowered if heads is None else None
        least = least_built
        _check_built(built, least, lambda: _shaken(whole, said, least, kept) if whole else "", say)
    if heads is not None:
        line = fidelity_sentence(entering.figures())
        say.note(f"what enters the nodes that ONNX Runtime does not know, beside the original: {line}")
    figures = _near_enough(near, least_cosine)
    reasons = {f"fidelity.{name}": why for name, why in near.reasons().items()}
    return Outcome(summary=fidelity_sentence(figures), fidelity=figures, reasons=reasons)


def _near_enough(near: FidelityMeter, least_cosine: float | None) -> Fidelity:
    """How near the candidate is to the baseline.

    Raises:
        PlanRefused: its outputs are not finite, or further apart than the recipe allows.
    """
    bad = near.broken()
    if bad:
        raise PlanRefused(bad, fix=_MILDER)
    figures = near.figures()
    nearness = figures.cosine if figures.cosine is not None else figures.agreement
    if least_cosine is not None and nearness is not None and nearness < least_cosine:
        raise PlanRefused(
            f"the outputs are further from the baseline's than the recipe allows: {fidelity_sentence(figures)}, "
            f"least_cosine = {least_cosine:g}",
            fix=_MILDER,
        )
    return figures


def outputs_of(model: Path | None) -> dict[str, Meaning]:
    """What the outputs of a file are; empty when there is none."""
    if model is None:
        return {}
    from ..graph.load import parse
    from ..graph.output_meaning import meanings

    return meanings(parse(model))


def _references(original: Path | None, lowered: Path | None, say: Reporter) -> tuple[Session | None, Session | None]:
    """ONNX Runtime on the lowered file; and, where it can compute a part of that alone, on the same part of the original."""
    if lowered is None:
        return None, None
    try:
        return _load(lowered), None
    except (BackendRefused, PlanRefused) as error:
        whole = error
    try:
        reference, cut = _part(lowered)
        heads = _part(original)[0] if original is not None else None
    except (BackendRefused, ModelRefused, PlanRefused):
        say.warn(f"the plan is not compared with ONNX Runtime, which cannot run its file: {whole.what}")
        return None, None
    say.note(f"{cut.words()}, of the original and of the lowered file")
    return reference, heads


def _part(path: Path) -> tuple[Session, Cut]:
    with TemporaryDirectory(prefix="edgetui-") as near, computable_file(path, Path(near)) as (part, cut):
        return _load(part), cut


def _load(path: Path, graph: Literal["off", "basic"] = "basic") -> Session:
    return OnnxRuntime().load(path, BackendSettings(graph=graph), cooperative=True)


def _common(some: dict[str, NDArray[np.generic]], others: dict[str, NDArray[np.generic]]) -> dict[str, NDArray[np.generic]]:
    return {name: array for name, array in some.items() if name in others}


def _check_built(built: FidelityMeter, least: float, shaken: Callable[[], str], say: Reporter) -> None:
    """Refuse a plan that computes something else, unless rounding alone is `shaken` as far from the file's outputs."""
    bad = built.broken() or built.doubts(least)
    if not bad:
        say.note(f"the plan beside ONNX Runtime on the same file: {fidelity_sentence(built.figures())}")
        return
    rounding = "" if built.broken() else shaken()
    if not rounding:
        raise PlanRefused(
            f"the plan does not compute what its ONNX file says ({bad} beside ONNX Runtime)", fix=_BUILD_OTHERWISE
        )
    say.warn(
        f"whether the plan computes what its ONNX file says cannot be told: {bad} beside ONNX Runtime, and ONNX Runtime "
        f"itself, rounding in another order, comes no nearer ({rounding}); accuracy on labels can tell"
    )


def _shaken(lowered: Path, said: Mapping[str, Meaning], least: float, feeds: list[Feeds]) -> str:
    """What `least` would say against ONNX Runtime without its optimizer, which only rounds otherwise; empty: nothing."""
    plain, other = _load(lowered), _load(lowered, "off")
    found = FidelityMeter(said, chance=True)
    for one in feeds:
        found.add(plain.run(one), other.run(one))
    for session in (plain, other):
        session.close()
    return found.broken() or found.doubts(least)
