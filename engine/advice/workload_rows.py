"""Rows of what workloads tell beside latencies.

Apart from `metrics.py`, which holds all rows together, because each workload has its own.
"""

from __future__ import annotations

from . import words, workload_cells
from .metric import Change, Metric

ROWS: tuple[Metric, ...] = (
    Metric(
        key="missed",
        path="latency_ms.missed_deadlines",
        label="missed deadlines",
        detail=True,
        better="less",
        wish="missed_deadlines",
        cell=workload_cells.missed,
        stage="measure",
        missing="only a paced workload has deadlines",
    ),
    Metric(
        key="throughput",
        path="workload.throughput.images_per_s",
        label="images a second",
        better="more",
        wish="images_per_s",
        cell=workload_cells.throughput,
        change=Change(field="throughput_ratio", below="lower", above="higher", said="of the images a second"),
        stage="measure",
    ),
    Metric(
        key="throughput_ratio",
        label="ratio to FP32",
        detail=True,
        cell=workload_cells.ratio_cell("throughput", lambda found: found.throughput_ratio),
        coloured_by="throughput",
    ),
    Metric(key="streams", label="streams: images/s, ms", detail=True, cell=workload_cells.streams),
    Metric(
        key="frame",
        path="workload.frame_ms.mean",
        label="whole frame, mean",
        better="less",
        wish="frame_ms",
        text=words.ms,
        cell=workload_cells.frame,
        change=Change(field="frame_ratio", below="faster", above="slower", said="of the time of a whole frame"),
        stage="measure",
    ),
    Metric(
        key="frame_ratio",
        label="ratio to FP32",
        detail=True,
        cell=workload_cells.ratio_cell("frame", lambda found: found.frame_ratio),
        coloured_by="frame",
    ),
    Metric(key="parts", label="its parts, ms", detail=True, cell=workload_cells.parts),
    Metric(
        key="tracking",
        path="workload.tracking_s.mean",
        label="time to reach the person",
        better="less",
        wish="tracking_s",
        cell=workload_cells.tracking,
        change=Change(field="tracking_ratio", below="sooner", above="later", said="of the time to reach the person"),
        stage="measure",
    ),
    Metric(
        key="tracking_ratio",
        label="ratio to FP32",
        detail=True,
        cell=workload_cells.ratio_cell("tracking", lambda found: found.tracking_ratio),
        coloured_by="tracking",
    ),
    Metric(
        key="per_input",
        path="per_input.median_ms",
        label="latency of single samples",
        better="less",
        wish="per_input_ms",
        cell=workload_cells.per_input,
        change=Change(field="per_input_ratio", below="faster", above="slower", said="of the time, over samples"),
        stage="inputs",
    ),
    Metric(
        key="per_input_ratio",
        label="ratio to FP32",
        detail=True,
        cell=workload_cells.ratio_cell("per_input", lambda found: found.per_input_ratio),
        coloured_by="per_input",
    ),
    Metric(key="input_spread", label="spread over samples", detail=True, cell=workload_cells.input_spread),
    Metric(
        key="roc_auc",
        path="workload.roc_auc",
        label="real frames told by rate",
        better="more",
        wish="roc_auc",
        cell=workload_cells.roc,
        stage="measure",
    ),
    Metric(key="filtered", label="passed: real, interference", detail=True, cell=workload_cells.filtered),
    Metric(
        key="real_rates",
        path="workload.rates.real.median",
        label="frames/s, real",
        detail=True,
        cell=workload_cells.real_rates,
        stage="measure",
    ),
    Metric(key="real_rates_q1", path="workload.rates.real.q1", stage="measure"),
    Metric(key="real_rates_q3", path="workload.rates.real.q3", stage="measure"),
    Metric(key="real_rates_sd", path="workload.rates.real.sd", stage="measure"),
    Metric(key="interference_rates", label="frames/s, interference", detail=True, cell=workload_cells.interference_rates),
    Metric(key="late_frames", label="frames that began late", detail=True, cell=workload_cells.late_frames),
)
