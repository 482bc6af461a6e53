"""What a result was made with: recipe, data, board and backend."""

from __future__ import annotations

from msgspec import Struct


class RecipeStamp(Struct, frozen=True, kw_only=True):
    """Which recipe ran: its name and its steps as TOML."""

    name: str = ""
    title: str = ""
    toml: str = ""


class DatasetStamp(Struct, frozen=True, kw_only=True):
    """Which samples were used."""

    name: str = ""
    path: str = ""
    evaluated: int | None = None
    evaluation: str = ""
    """Where evaluated samples came from, in words: `all of test.zip`."""
    seed: int | None = None
    """Draws what calibrates and what evaluates where one file has to do for both, and which are taken where not all are."""
    samples_sha256: str = ""
    """Of the list of evaluated samples, the artifact `samples`: a name a line, in the order in which they were fed."""
    calibrated: int | None = None
    calibration: str = ""
    """How many samples of what calibrated, in words: `500 of 10 000 of train.zip, seed 0`. Where steps read different numbers
    the most: those of the others are among them."""
    skipped: int = 0
    """Broken files that were passed over."""


class BoardStamp(Struct, frozen=True, kw_only=True):
    """The machine and its state when measuring began."""

    name: str = ""
    os: str = ""
    kernel: str = ""
    cpu: str = ""
    cores: int | None = None
    memory_mb: float | None = None
    memory_free_mb: float | None = None
    power_mode: str | None = None
    clocks: str | None = None
    """`locked`, `floating`; None: cannot be told here."""
    governor: str | None = None
    emc_mhz: float | None = None
    """Clock of the memory; on most boards only root may read it."""
    fan_rpm: float | None = None
    temps_c: dict[str, float | None] = {}
    load_1min: float | None = None
    busy: tuple[str, ...] = ()
    """Processes that used more than a tenth of a core when measuring began."""
    wall: str = ""
    """When measuring began, ISO 8601."""


class BackendStamp(Struct, frozen=True, kw_only=True):
    """What executed the plans."""

    name: str = ""
    version: str = ""
    threads: int | None = None
    graph: str = ""
    provider: str = ""
    mode: str = ""
    """torch: eager or compiled; empty: the backend has one way."""
    device: str = ""
    """torch: `cpu`, or the GPU's name and compute capability."""
    tf32: bool | None = None
    """On a GPU: whether FP32 factors may be rounded to TF32; None: there is no such hardware, or the backend does not say."""
