"""The result document: what `run --json` and `show --json` print and result.json holds.

`None` is unknown; `reasons` says why, by the field's path (`candidate.latency_ms.p99`). Never 0 for unknown.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType

from .failure import Failure
from .figures import Correction, Difference, Metrics, Pair
from .model_facts import ModelFacts
from .output_figures import Fidelity
from .ready import LateDecoder
from .stamps import BackendStamp, BoardStamp, DatasetStamp, RecipeStamp

State = Literal["done", "failed", "cancelled", "crashed", "running", "queued"]


SCHEMA = 2
"""Of the documents that this version writes."""


class StageFigures(Struct, frozen=True, kw_only=True):
    """What a stage cost."""

    name: str
    seconds: float | None = None
    """What it took; of a cached one when it was made, as memory and energy."""
    peak_mb: float | None = None
    energy_j: float | None = None
    cached: bool = False
    """It was not done in this run: its outcome came from the cache."""
    summary: str = ""


class Payback(Struct, frozen=True, kw_only=True):
    """What compressing cost, and after how many inferences it has paid that back."""

    compress_s: float | None = None
    """Seconds of the recipe's steps, lower and build; of cached stages when they were made."""
    compress_j: float | None = None
    """Joules of the board over that time, idle included."""
    by_time: float | None = None
    """Inferences after which their time has paid for that of compressing."""
    by_energy: float | None = None
    """The same in energy: net joules that each inference saves against `compress_j`."""


class Result(Struct, frozen=True, kw_only=True):
    """One run, from question to answer."""

    run: str
    schema: int = 1
    """Rises when a field changes its meaning or its type, not when one is added; older documents are read. Absent: 1."""
    state: State
    model: ModelFacts | None = None
    recipe: RecipeStamp = RecipeStamp()
    dataset: DatasetStamp | None = None
    board: BoardStamp = BoardStamp()
    backend: BackendStamp = BackendStamp()
    candidate_backend: BackendStamp | None = None
    """What executed the candidate, where that is not what executed the baseline: other threads, say. None: it is."""
    trained_on: str = ""
    """The board of the fleet that did the steps which learn; empty: nothing learnt, or it did so here."""
    preset: str = "normal"
    workload: str = "flat-out"
    workload_text: str = ""
    """As people read it, with its number: `paced 30 Hz`; empty: made by a version that did not say it."""
    conditions: dict[str, str] = {}
    """Data, preprocessing, task, samples and workload as they were asked for: runs share a baseline where they are the same,
    and model, backend and board too."""
    baseline: Metrics = Metrics()
    candidate: Metrics = Metrics()
    difference: Difference = Difference()
    guard: Metrics | None = None
    """The FP16 plan of the same model, measured beside an INT8 candidate; None: there is none, `reasons` says why."""
    guard_run: str | None = None
    """The member of the group whose plan that is; None: it was built for this run alone, or there is none."""
    guard_difference: Difference | UnsetType = UNSET
    """The guard against the baseline."""
    guard_verdict: dict[str, str] = {}
    """As `verdict`, of the guard."""
    guard_fidelity: Fidelity | UnsetType = UNSET
    """How near its outputs are to the baseline's."""
    group: str | None = None
    """Of the recipes that were given together; None: this one alone."""
    correction: Correction = Correction()
    """Of the intervals of ratios."""
    pairs: tuple[Pair, ...] = ()
    """The candidates that were measured together, beside each other."""
    verdict: dict[str, str] = {}
    """Metric (`latency`, `energy`, `size`, `memory`, `accuracy`) to a word: faster, smaller, ..., `no difference shown`."""
    fidelity: Fidelity = Fidelity()
    payback: Payback = Payback()
    stages: tuple[StageFigures, ...] = ()
    artifacts: dict[str, str] = {}
    warnings: tuple[str, ...] = ()
    reasons: dict[str, str] = {}
    error: Failure | None = None


encode = msgspec.json.encode
_decoder = LateDecoder[Result](Result)


def decode(data: bytes) -> Result:
    """Read a result document; keys of later versions are passed over.

    Raises:
        msgspec.DecodeError: the bytes are no such document.
    """
    return _decoder.decode(data)
