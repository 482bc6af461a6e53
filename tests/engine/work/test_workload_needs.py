"""What a workload cannot be issued with is refused before the run, with the way out."""

from __future__ import annotations

import msgspec
import pytest
from edgetui.engine.advice import workload_needs
from edgetui.engine.advice.workload_needs import lasts, refuse_in_bench, refuse_workload, unmet
from edgetui.engine.errors import BackendRefused, DataRefused
from edgetui.engine.schema.settings import BackendSettings
from edgetui.engine.schema.spec import Dataset, RunSpec
from edgetui.engine.schema.steps import Recipe
from edgetui.engine.schema.workloads import WORKLOADS, FlatOut, Paced, Streams

IMAGES = Dataset(kind="image-folder", path="/data")
ARRAYS = Dataset(kind="npz", path="/data.npz")
WHOLE_FRAMES = [kind() for kind in WORKLOADS.values() if kind.needs_images]


def asked(workload, **others):
    return RunSpec(model="/m.onnx", recipe=Recipe(), workload=workload, **others)


@pytest.mark.parametrize("workload", WHOLE_FRAMES, ids=lambda workload: workload.kind)
def test_whole_frames_need_image_files(workload):
    with pytest.raises(DataRefused, match=r"no data are given; name images with --dataset D, or .*--workload flat-out"):
        refuse_workload(asked(workload))
    with pytest.raises(DataRefused, match=r"data\.npz has none"):
        refuse_workload(asked(workload, dataset=ARRAYS))
    assert unmet(asked(workload, dataset=IMAGES)) is None
    assert unmet(asked(workload, measure=False)) is None
    with pytest.raises(DataRefused, match=f"run MODEL --workload {workload.kind}"):
        refuse_in_bench(workload, "onnxruntime")


def test_others_need_none():
    assert unmet(asked(FlatOut())) is None
    assert unmet(asked(Paced())) is None
    refuse_in_bench(Paced(), "onnxruntime")


@pytest.mark.parametrize("name", WORKLOADS)
def test_where_every_inference_is_a_process_only_flat_out_can_be_had(name, monkeypatch):
    card = workload_needs.CARDS["tensorrt"]
    monkeypatch.setattr(type(card), "flat_out_only", lambda self: "trtexec issues inferences flat out only")
    spec = asked(WORKLOADS[name](), dataset=IMAGES, backend=BackendSettings(name="tensorrt"))
    if WORKLOADS[name].by_backend:
        assert unmet(spec) is None
    else:
        with pytest.raises(BackendRefused, match="flat out only; run with --workload flat-out"):
            refuse_workload(spec)
    assert unmet(msgspec.structs.replace(spec, backend=BackendSettings())) is None


def test_several_streams_need_a_backend_whose_plans_take_them():
    spec = asked(Streams(streams=2), backend=BackendSettings(name="tensorrt"))
    with pytest.raises(BackendRefused, match=r"one execution context here.*--workload flat-out, or build it"):
        refuse_workload(spec)
    with pytest.raises(BackendRefused, match="one execution context"):
        refuse_in_bench(spec.workload, "tensorrt")
    assert unmet(msgspec.structs.replace(spec, backend=BackendSettings())) is None


def test_samples_one_by_one_need_data_and_a_backend_in_this_process(monkeypatch):
    with pytest.raises(DataRefused, match="7 samples shall be timed one by one, and no data are given; name some: --dataset D"):
        refuse_workload(asked(FlatOut(), per_input=7))
    assert unmet(asked(FlatOut(), per_input=7, dataset=ARRAYS)) is None
    card = workload_needs.CARDS["tensorrt"]
    monkeypatch.setattr(type(card), "flat_out_only", lambda self: "trtexec issues inferences flat out only")
    with pytest.raises(BackendRefused, match="so samples cannot be timed one by one; leave it out: --per-input 0"):
        refuse_workload(asked(FlatOut(), per_input=7, dataset=ARRAYS, backend=BackendSettings(name="tensorrt")))


def test_the_forecast_says_how_long_a_workload_measures_at_most():
    assert lasts(asked(FlatOut())) == ""
    assert lasts(asked(Paced(rate_hz=15), preset="quick")) == "at most, for two plans: paced 15 Hz: 10 s"
    assert lasts(asked(WORKLOADS["cycle"](), preset="quick")) == "at most, for two plans: cycle: 40 s"  # 20 cycles of each
    both = asked(WORKLOADS["tracking"](), per_input=12)
    assert lasts(both) == "at most, for two plans: tracking: 2 min, 12 samples one by one: 4 min"
    assert lasts(msgspec.structs.replace(both, measure=False)) == ""
