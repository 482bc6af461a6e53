"""What a workload tells of one side beside its latencies: `baseline.workload` and `candidate.workload` of a result.

A part that is not there (UNSET, absent from the document) is one that this workload does not have; `None` is unknown.
"""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType


class Misses(Struct, frozen=True, kw_only=True):
    """Deadlines of a paced workload: an inference misses its own where it ends after the next beat."""

    count: int | None = None
    n: int | None = None
    """Inferences that had a deadline."""
    longest_run: int | None = None
    """Most misses in a row, within a block."""
    after_miss: float | None = None
    """Share of misses among the inferences that follow one, within a block."""
    dropped: int | None = None
    """Beats that went by while a late inference was not over: their frames were never looked at."""
    woke_late: int | None = None
    """Of `count`, those whose inference took less than a beat: the machine was busy with something else when it was due."""


class FrameTimes(Struct, frozen=True, kw_only=True):
    """Milliseconds of a whole frame, from the image file to what the outputs mean, one after another."""

    mean: float | None = None
    half_width: float | None = None
    """Half width of the 95 % interval of the mean over blocks."""
    p50: float | None = None
    p90: float | None = None
    p99: float | None = None
    min: float | None = None
    max: float | None = None
    n: int | None = None
    """Frames that were timed."""


class StreamFigures(Struct, frozen=True, kw_only=True):
    """So many streams at once, each with its next inference as soon as the last has ended."""

    streams: int
    batch: int
    """Images in an inference."""
    images_per_s: float | None = None
    half_width: float | None = None
    """Half width of the 95 % interval of their mean over blocks."""
    latency_ms: float | None = None
    """Mean of an inference while all of them infer."""
    p50_ms: float | None = None
    p90_ms: float | None = None
    p99_ms: float | None = None
    n: int | None = None


class Throughput(Struct, frozen=True, kw_only=True):
    """With as many streams as were asked for; each fewer number stands in `streams`."""

    streams: int | None = None
    images_per_s: float | None = None
    half_width: float | None = None
    latency_ms: float | None = None
    knee: int | None = None
    """How many streams have most images a second for a millisecond of latency (Jain 1991, 3.3): past it they wait for each
    other."""


class FrameSeries(Struct, frozen=True, kw_only=True):
    """Every frame in the order of time: at most 900 of `n`, the first; all of them are in the run folder."""

    fps: tuple[float, ...] = ()
    """One over a frame's own processing time, without the wait for its beat; four digits."""
    real: tuple[bool, ...] = ()
    """False: interference, which skips the model."""
    n: int | None = None


class RateSpread(Struct, frozen=True, kw_only=True):
    """Frames a second of one kind of frames, as a box plot has them."""

    n: int | None = None
    mean: float | None = None
    min: float | None = None
    q1: float | None = None
    median: float | None = None
    q3: float | None = None
    max: float | None = None
    iqr: float | None = None
    sd: float | None = None
    low_whisker: float | None = None
    """The least rate within 1.5 interquartile ranges of the box (Tukey 1977)."""
    high_whisker: float | None = None


class KindRates(Struct, frozen=True, kw_only=True):
    """Real frames and interference apart."""

    real: RateSpread = RateSpread()
    interference: RateSpread = RateSpread()


class Roc(Struct, frozen=True, kw_only=True):
    """A threshold on the frame rate as a filter: what is slower passes as real."""

    low: float | None = None
    high: float | None = None
    """95 % interval of the area `roc_auc` (Newcombe 2006, method 5)."""
    points: tuple[tuple[float, float], ...] = ()
    """(share of interference that passes, share of real frames that passes), 64 thresholds at most."""
    threshold_fps: float | None = None
    """Chosen on every second cycle, the first among them."""
    real_passed: float | None = None
    """Share of real frames that pass it in the other cycles."""
    interference_passed: float | None = None


class Tracking(Struct, frozen=True, kw_only=True):
    """Seconds until a simulated robot stands 0.30 m before a person that it follows by this side's frames."""

    mean: float | None = None
    """Over the runs that arrive."""
    low: float | None = None
    """95 % interval, with what the measurement is not known to."""
    high: float | None = None
    never: int | None = None
    """Runs that do not arrive within 60 s, or run into the person."""
    runs: int | None = None
    felt: str = ""
    """What the outputs are off by, in words; the baseline's are what others are compared with."""


class PerInput(Struct, frozen=True, kw_only=True):
    """Latency of single samples, each timed until its own 95 % interval was narrow: milliseconds, of the samples' means."""

    n: int | None = None
    """Samples (or batches of them, where an inference takes several)."""
    reached: int | None = None
    """Of these, how many got an interval as narrow as wanted."""
    wanted_half_width: float | None = None
    """Half width, as a share of the mean."""
    mean_ms: float | None = None
    min_ms: float | None = None
    q1_ms: float | None = None
    median_ms: float | None = None
    q3_ms: float | None = None
    max_ms: float | None = None
    iqr_ms: float | None = None
    sd_ms: float | None = None
    p: float | None = None
    """How likely samples that take equally long would spread so much: analysis of variance in randomized blocks."""


class WorkloadFigures(Struct, frozen=True, kw_only=True):
    """One side. Every single value behind it lies in the run folder (`workload.npz`)."""

    kind: str = ""
    """Empty: the run is of a version that did not say it, or was not measured."""
    misses: Misses | UnsetType = UNSET
    throughput: Throughput | UnsetType = UNSET
    streams: tuple[StreamFigures, ...] | UnsetType = UNSET
    """The fewest first."""
    frame_ms: FrameTimes | UnsetType = UNSET
    parts_ms: dict[str, float] | UnsetType = UNSET
    """Mean of each part of a frame: `decode`, `resize` (and normalise), `copy` (into the plan's input memory on the host),
    `inference` (with a GPU's own transfers; `device_ms` is without them), `postprocess`. They sum to `frame_ms.mean`."""
    frames: FrameSeries | UnsetType = UNSET
    rates: KindRates | UnsetType = UNSET
    roc_auc: float | UnsetType = UNSET
    """Of a threshold on the frame rate that tells real frames from interference; 0.5: it tells nothing."""
    roc: Roc | UnsetType = UNSET
    late: int | UnsetType = UNSET
    """Frames that began after their beat, because those before them were not over."""
    tracking_s: Tracking | UnsetType = UNSET
    postprocess: str | UnsetType = UNSET
    """What is made of the outputs, in words."""

    @property
    def missed(self) -> int | None:
        """Deadlines that were missed; None: there were none to miss."""
        return None if isinstance(self.misses, UnsetType) else self.misses.count
