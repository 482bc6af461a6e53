"""The candidate beside the baseline, and a compiled plan beside ONNX Runtime on the same file. Part of the pipeline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from .backends.base import Session
from .backends.onnxruntime import OnnxRuntime
from .errors import BackendRefused, PlanRefused
from .measure.fidelity import Fidelity
from .measure.sums import in_words
from .outcome import Outcome
from .say import Say
from .spec import BackendSettings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from .graph.meaning import Meaning

    Feeds = Mapping[str, NDArray[np.generic]]

LEAST_COSINE = 0.9
"""A plan further than this from ONNX Runtime on the same file was built wrong: rounding alone stays above 0.99."""
LEAST_COSINE_UNFUSED = 0.999
"""The same where each node is computed as the file says (PyTorch): FP32 stays above 0.99999, FP16 and INT8 above 0.9999."""
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
    say: Say,
    least_built: float = LEAST_COSINE,
    model: Path | None = None,
) -> Outcome:
    """Run some samples through baseline and candidate; say how far their outputs are apart.

    of: how many samples there are. lowered: the file the candidate was built from, when ONNX Runtime shall say what it should
    compute. least_cosine: the recipe's limit, for quantities; where an output is none, for the share of equal elements.
    least_built: how near the candidate must be to ONNX Runtime. model: the file that says what outputs mean; None: `lowered`.

    Raises:
        PlanRefused: outputs are not finite, further apart than the recipe allows, or not what the lowered file computes.
    """
    baseline, candidate = sessions
    reference = _reference(lowered, say)
    said = outputs_of(model or lowered)
    near, built = Fidelity(said), Fidelity(said, chance=True)
    for done, one in enumerate(feeds, 1):
        outputs = candidate.run(one)
        near.add(baseline.run(one), outputs)
        if reference is not None:
            built.add(reference.run(one), outputs)
        say.progress(done, of, "samples")
    if reference is not None:
        reference.close()
        _check_built(built, least_built, say)
    bad = near.broken()
    if bad:
        raise PlanRefused(bad, fix=_MILDER)
    figures = near.figures()
    nearness = figures.cosine if figures.cosine is not None else figures.agreement
    if least_cosine is not None and nearness is not None and nearness < least_cosine:
        raise PlanRefused(
            f"the outputs are further from the baseline's than the recipe allows: {in_words(figures)}, "
            f"least_cosine = {least_cosine:g}",
            fix=_MILDER,
        )
    return Outcome(summary=in_words(figures), fidelity=figures)


def outputs_of(model: Path | None) -> dict[str, Meaning]:
    """What the outputs of a file are; empty when there is none."""
    if model is None:
        return {}
    from .graph.load import parse
    from .graph.meaning import meanings

    return meanings(parse(model))


def _reference(lowered: Path | None, say: Say) -> Session | None:
    if lowered is None:
        return None
    try:
        return OnnxRuntime().load(lowered, BackendSettings(graph="basic"), in_turns=True)
    except (BackendRefused, PlanRefused) as error:
        say.warn(f"the plan is not compared with ONNX Runtime, which cannot run its file: {error.what}")
        return None


def _check_built(built: Fidelity, least: float, say: Say) -> None:
    bad = built.broken() or built.doubts(least)
    if bad:
        raise PlanRefused(
            f"the plan does not compute what its ONNX file says ({bad} beside ONNX Runtime)", fix=_BUILD_OTHERWISE
        )
    say.note(f"the plan beside ONNX Runtime on the same file: {in_words(built.figures())}")
