"""All figures of one side, and of the two beside each other. `None` is unknown."""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType

from .output_figures import Accuracy
from .workload_figures import PerInput, WorkloadFigures


class Latency(Struct, frozen=True, kw_only=True):
    """Milliseconds of one inference, one stream, closed loop."""

    mean: float | None = None
    half_width: float | None = None
    """Half width of the 95 % interval of the mean over blocks, in ms."""
    p50: float | None = None
    p90: float | None = None
    p95: float | None = None
    p99: float | None = None
    min: float | None = None
    max: float | None = None
    sd: float | None = None
    iqr: float | None = None
    n: int | None = None
    """Inferences that were timed."""
    blocks: int | None = None
    capped: bool | None = None
    """True: time ran out before the interval of the ratio (of the mean, of one plan alone) was as the preset wants it."""
    wanted_half_width: float | None = None
    """What the preset wants of that interval, as a share of the ratio or mean."""
    throttled: int | None = None
    """Blocks that count though the machine was held back: a busy clock over 5 % below its start, or an alert."""
    missed_deadlines: int | None = None
    """Paced workload only: inferences that took longer than a beat."""


class MemoryMb(Struct, frozen=True, kw_only=True):
    """Memory in MB (10^6 bytes), each figure under its own name."""

    plan: float | None = None
    """The plan's own device memory."""
    process_peak: float | None = None
    """Largest resident memory of a process that has this plan alone."""
    system_drop: float | None = None
    """By how much available system memory fell while that process lived; null where it did not fall: what it took others
    freed. 0 of a version that did not know."""


class Power(Struct, frozen=True, kw_only=True):
    """Watts while measuring; idle with the model unloaded."""

    mean: float | None = None
    peak: float | None = None
    idle: float | None = None
    idle_drift: float | None = None
    """From the look at the idle board before to the one after."""


IMAGES = 18_000
"""What energy is scaled to, as papers do (Zhang et al., Model Compression in Low Performance Edge Computing)."""


class ForImages(Struct, frozen=True, kw_only=True):
    """Gross joules for so many images, scaled from what was measured."""

    n: int | None = None
    joules: float | None = None
    low: float | None = None
    """95 % interval."""
    high: float | None = None
    measured_s: float | None = None
    """Seconds of windows that it is scaled from."""


class Energy(Struct, frozen=True, kw_only=True):
    """Joules for each inference."""

    gross: float | None = None
    gross_half_width: float | None = None
    """Half width of the 95 % interval of the mean over windows."""
    net: float | None = None
    """Idle power subtracted; what a paced workload waits for its beats is idle too."""
    net_half_width: float | None = None
    """The same of net joules, with what idle power is not known to."""
    for_images: ForImages = ForImages()
    windows: int | None = None
    samples: int | None = None
    """Readings of the sensor within the windows."""
    rate_hz: float | None = None
    """Readings a second."""
    gaps: int | None = None
    """Distances between readings, within the windows, of more than three usual ones."""
    longest_gap_s: float | None = None
    """The longest of them; 0: there is none."""
    throttled: int | None = None
    """Windows that count though the machine was held back: a busy clock over 5 % below its start, or an alert."""
    scope: str = ""
    """What the power covers: `module`, `board input`, `package`, `gpu`."""
    method: str = ""
    """`trapezoid` over power, or `counter` where the sensor counts energy itself."""
    per: str = "inference"
    """What the joules are of: `frame` where the workload has whole frames, those that skip the model among them."""


class PlanAlone(Struct, frozen=True, kw_only=True):
    """One of two plans by itself, measured in turns with both together."""

    latency_ms: float | None = None
    latency_half_width_ms: float | None = None
    latency_ratio: Ratio | None = None
    """Both together over it."""
    energy_j: float | None = None
    """Net, an inference."""
    energy_ratio: Ratio | None = None
    process_peak_mb: float | None = None
    quality: float | None = None
    """What `Escalation.metric` says of it."""
    quality_points: Ratio | None = None
    """Both together less it, paired over samples."""


class Escalation(Struct, frozen=True, kw_only=True):
    """Two plans that are one: inputs that the first is unsure of run again in the second (`adaptive`)."""

    share: float | None = None
    """Of evaluated inputs that ran again."""
    share_low: float | None = None
    """95 % interval."""
    share_high: float | None = None
    n: int | None = None
    """Inferences that were evaluated."""
    timed_share: float | None = None
    """Of inferences while latency was measured, over samples of the dataset in turn."""
    timed_samples: int | None = None
    """How many different samples those were."""
    threshold: float | None = None
    """Below which an input runs again, as it was fitted."""
    threshold_mean: float | None = None
    """While latency was measured: limits lower it. Outputs are evaluated with this one."""
    sure_by: str = ""
    """`margin` of the two likeliest classes, or `score` of the best box."""
    precision: str = ""
    """Of the second plan."""
    limits: dict[str, float] = {}
    """What moves the threshold at run time."""
    metric: str = ""
    """Key of the metric that says how good outputs are; empty: none does."""
    narrow: PlanAlone = PlanAlone()
    """The first plan alone."""
    wide: PlanAlone = PlanAlone()
    """The second plan alone."""


class Metrics(Struct, frozen=True, kw_only=True):
    """All figures of one side: baseline or candidate."""

    size_bytes: int | None = None
    size_gz_bytes: int | None = None
    """Compressed with gzip: where scattered zeros show."""
    plan_bytes: int | None = None
    parameters: int | None = None
    nonzero: int | None = None
    macs: int | None = None
    load_ms: float | None = None
    first_ms: float | None = None
    latency_ms: Latency = Latency()
    device_ms: float | None = None
    """The part of an inference between the copies to and from a GPU, by its own clock; None: no GPU. Where it waits for Python
    from kernel to kernel (the backend torch, eager), those waits are in it."""
    fps: float | None = None
    workload: WorkloadFigures = WorkloadFigures()
    per_input: PerInput | UnsetType = UNSET
    """Where `--per-input` asked for it."""
    escalation: Escalation | UnsetType = UNSET
    """Of two plans that are one."""
    memory_mb: MemoryMb = MemoryMb()
    power_w: Power = Power()
    energy_j_per_inference: Energy = Energy()
    accuracy: Accuracy = Accuracy()


class Ratio(Struct, frozen=True, kw_only=True):
    """Candidate over baseline with its 95 % interval."""

    value: float | None = None
    low: float | None = None
    high: float | None = None
    interleaved: bool = False


class Correction(Struct, frozen=True, kw_only=True):
    """How intervals of ratios allow for each other, where several variants were measured together."""

    variants: int = 2
    comparisons: int = 1
    """Ratios between any two of them."""
    confidence: float = 0.95
    """Of each interval, so that all of them hold at once with 95 %."""
    method: str = "Bonferroni"


class Pair(Struct, frozen=True, kw_only=True):
    """Two candidates of a group beside each other; every ratio is `b` over `a`."""

    a: str
    """The run that ratios are over: the denominator."""
    b: str
    """The run whose figures are divided."""
    latency_ratio: Ratio | None = None
    """Time of `b` over that of `a`: 2.17 says that `b` takes 2.17 times as long."""
    energy_ratio: Ratio | None = None
    """Net joules of `b` over those of `a`."""


class Difference(Struct, frozen=True, kw_only=True):
    """Candidate against baseline."""

    latency_ratio: Ratio = Ratio()
    frame_ratio: Ratio | UnsetType = UNSET
    """Of whole frames, where the workload takes them from image files."""
    throughput_ratio: Ratio | UnsetType = UNSET
    """Of images a second with all streams, where the workload has several."""
    tracking_ratio: Ratio | UnsetType = UNSET
    """Of the seconds until the simulated robot reaches the person, of runs in which both sides do."""
    latency_ratio_to_guard: Ratio | UnsetType = UNSET
    """Over the guard, where there is one; above, over the baseline."""
    energy_ratio_to_guard: Ratio | UnsetType = UNSET
    """Of net joules."""
    per_input_ratio: Ratio | UnsetType = UNSET
    """Of latency, geometric mean over samples that were timed one by one; its interval is over samples."""
    size_ratio: float | None = None
    memory_ratio: float | None = None
    """Process peaks."""
    energy_ratio: Ratio | None = None
    """Of net joules."""
    energy_ratio_gross: Ratio | None = None
    top1_points: Ratio = Ratio()
    """Paired difference of top-1 as a share (0.01 = one point), with its interval; `value` is candidate minus baseline."""
    mcnemar_p: float | None = None
    top5_points: Ratio = Ratio()
    """The same of top-5, and of what follows: the interval of a paired difference is by bootstrap over samples or images."""
    f1_points: Ratio = Ratio()
    """Of the macro average."""
    map50_points: Ratio = Ratio()
    """Paired difference of mAP50 as a share, its interval by bootstrap over images; `value` is candidate minus baseline."""
    map50_95_points: Ratio = Ratio()
    oks_map_points: Ratio = Ratio()
    miou_points: Ratio = Ratio()
    mae_difference: Ratio = Ratio()
    """Candidate minus baseline, in the unit of the labels."""
    r2_points: Ratio = Ratio()
