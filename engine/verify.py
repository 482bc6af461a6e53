"""The candidate beside the baseline, and a compiled plan beside ONNX Runtime on the same file. Part of the pipeline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from .backends.base import Session
from .backends.onnxruntime import OnnxRuntime
from .errors import BackendRefused, PlanRefused
from .measure.fidelity import Fidelity
from .outcome import Outcome
from .say import Say
from .spec import BackendSettings

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Feeds = Mapping[str, NDArray[np.generic]]

LEAST_COSINE = 0.9
"""A plan further than this from ONNX Runtime on the same file was built wrong: rounding alone stays above 0.99."""
LEAST_COSINE_UNFUSED = 0.999
"""The same where each node is computed as the file says (PyTorch): FP32 stays above 0.99999, FP16 and INT8 above 0.9999."""
_MILDER = "exclude those nodes from the recipe's steps, or choose a milder recipe"


def verify(
    sessions: tuple[Session, Session],
    feeds: Iterable[Feeds],
    of: int,
    lowered: Path | None,
    least_cosine: float | None,
    say: Say,
    least_built: float = LEAST_COSINE,
) -> Outcome:
    """Run some samples through baseline and candidate; say how far their outputs are apart.

    of: how many samples there are. lowered: the file the candidate was built from, when ONNX Runtime shall say what it should
    compute. least_cosine: the recipe's limit. least_built: how near the candidate must be to ONNX Runtime.

    Raises:
        PlanRefused: outputs are not finite, further apart than the recipe allows, or not what the lowered file computes.
    """
    baseline, candidate = sessions
    reference = _reference(lowered, say)
    near, built = Fidelity(), Fidelity()
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
    if least_cosine is not None and figures.cosine is not None and figures.cosine < least_cosine:
        raise PlanRefused(
            f"the outputs are further from the baseline's than the recipe allows: {words(figures.cosine, figures.sqnr_db)}, "
            f"least_cosine = {least_cosine:g}",
            fix=_MILDER,
        )
    return Outcome(summary=words(figures.cosine, figures.sqnr_db), fidelity=figures)


def _reference(lowered: Path | None, say: Say) -> Session | None:
    if lowered is None:
        return None
    try:
        return OnnxRuntime().load(lowered, BackendSettings(graph="basic"), in_turns=True)
    except (BackendRefused, PlanRefused) as error:
        say.warn(f"the plan is not compared with ONNX Runtime, which cannot run its file: {error.what}")
        return None


def _check_built(built: Fidelity, least: float, say: Say) -> None:
    figures = built.figures()
    line = words(figures.cosine, figures.sqnr_db)
    bad = built.broken()
    if bad or (figures.cosine is not None and figures.cosine < least):
        raise PlanRefused(
            f"the plan does not compute what its ONNX file says ({bad or line} beside ONNX Runtime)",
            fix="build it again with precision.fp16 left out, or with `keep` for sums and powers; see the run's log.txt",
        )
    say.note(f"the plan beside ONNX Runtime on the same file: {line}")


def words(cosine: float | None, sqnr_db: float | None) -> str:
    """One line of how near outputs are."""
    first = "cosine –" if cosine is None else f"cosine {cosine:.5f}"
    return first + ("" if sqnr_db is None else f", SQNR {sqnr_db:.1f} dB")
