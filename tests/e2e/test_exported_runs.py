"""A measured run given away: its figures are those of its raw samples, and one that was changed is found."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import json
from pathlib import Path

import pytest
from colour_detector import colour_detector, scenery
from edgetui.engine.api import Engine
from edgetui.engine.library.datasets import read_dataset
from edgetui.engine.schema.settings import BackendSettings
from edgetui.engine.schema.spec import RunSpec
from edgetui.engine.schema.steps import QuantizeInt8, Recipe
from edgetui.engine.schema.workloads import parse_workload
from live_runs import ended
from measuring import short_elsewhere
from strict_html import StrictPage, pictures


async def test_a_report_is_computed_from_the_samples(
    engine: Engine, spec: RunSpec, own_state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short_elsewhere(monkeypatch)
    run = await engine.submit(spec)
    await ended(engine, run)
    found = await engine.export([run], tmp_path / "out", layers=True)
    assert found.different == {}
    page = (tmp_path / "out" / "report.html").read_text()
    assert StrictPage(page).faults == []
    titles = {picture[0].text for picture in pictures(page)}
    assert {"Candidate over baseline", "Latency of single inferences, histogram", "Means of blocks over time"} <= titles
    assert "Layers of the candidate's plan" in StrictPage(page).text
    again = json.loads((tmp_path / "out" / "report.json").read_text())["recomputed"][0]
    paths = {figure["path"] for figure in again["figures"] if figure["stored"] is not None}
    assert paths >= {"candidate.latency_ms.p50", "difference.latency_ratio.low"}
    assert paths >= {
        "baseline.accuracy.top1",
        "candidate.accuracy.f1_weighted",
        "difference.top1_points.value",
        "difference.mcnemar_p",
    }

    file = own_state / "runs" / run / "result.json"
    document = json.loads(file.read_text())
    listed = (tmp_path / "out" / "artifacts" / "samples.txt").read_bytes()
    data = document["dataset"]
    assert len(set(listed.splitlines())) == data["evaluated"]
    assert data["samples_sha256"] == hashlib.sha256(listed).hexdigest()
    assert (data["evaluation"], data["seed"]) == ("all of digits.npz", 0)
    original = await asyncio.to_thread(Path(spec.model).read_bytes)
    sizes = document["baseline"]
    assert (sizes["size_bytes"], sizes["size_gz_bytes"]) == (len(original), len(gzip.compress(original, 6)))
    used = data["calibration"].removeprefix(f"{data['calibrated']} ")
    assert used != data["calibration"]
    for words in (data["samples_sha256"][:12], "all of digits.npz", used, "McNemar's mid-p test"):
        assert words in StrictPage(page).text
        assert words in (tmp_path / "out" / "report.md").read_text()
    was = document["candidate"]["latency_ms"]["mean"]
    document["candidate"]["latency_ms"]["mean"] = was / 2
    document["artifacts"]["latencies"] = "/etc/passwd/latencies.npz"
    file.write_text(json.dumps(document))
    found = await engine.export([run], tmp_path / "again")
    assert found.different == {run: ("candidate.latency_ms.mean",)}
    shown = StrictPage((tmp_path / "again" / "report.html").read_text()).text
    assert "1 of " in shown
    assert "candidate.latency_ms.mean is" in shown
    told = json.loads((tmp_path / "again" / "result.json").read_text())
    assert told["candidate"]["latency_ms"]["mean"] == was / 2
    lines = (tmp_path / "again" / "figures.csv").read_text().splitlines()
    (line,) = [line for line in lines if ",candidate.latency_ms.mean," in line]
    assert float(line.split(",")[2]) == pytest.approx(was)


@pytest.mark.parametrize(
    ("workload", "path"),
    [
        ("paced:100", "misses.count"),
        ("throughput:2", "throughput.images_per_s"),
        pytest.param("pipeline", "frame_ms.p50", marks=pytest.mark.long),
        pytest.param("cycle", "rates.real.median", marks=pytest.mark.long),
    ],
)
async def test_what_a_workload_tells_is_computed_again(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workload: str, path: str
) -> None:
    short_elsewhere(monkeypatch)
    spec = RunSpec(
        model=str(colour_detector(tmp_path / "squares.onnx")),
        recipe=Recipe(name="int8", step=(QuantizeInt8(samples=16),)),
        dataset=read_dataset(str(scenery(tmp_path / "set", 40)), {}),
        backend=BackendSettings(threads=1),
        workload=parse_workload(workload),
        preset="quick",
    )
    run = await engine.submit(spec)
    await ended(engine, run)
    found = (await engine.evidence([run])).recomputed[0]
    figures = {figure.path: figure for figure in found.figures}
    for side in ("baseline", "candidate"):
        told = figures[f"{side}.workload.{path}"]
        assert told.stored is not None
        assert told.computed == pytest.approx(told.stored)
    assert figures["candidate.accuracy.map50"].stored is not None
    assert [figure.path for figure in found.different] == []
    assert set(found.reasons) <= {"energy"}
