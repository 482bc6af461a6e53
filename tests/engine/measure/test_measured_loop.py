"""The measured loop on real sessions: blocks, pairs, beats and rules. No figure of time is asserted, only what must hold."""

from __future__ import annotations

import contextlib
import itertools
import subprocess
import sys
import threading
import time
from dataclasses import replace

import msgspec
import numpy as np
import onnx
import pytest
from edgetui.engine.backends.onnxruntime import OnnxRuntime
from edgetui.engine.measure import latency, paired
from edgetui.engine.measure.latency import Rule, Side, share_done, stays_awake_s, summarise, take_block, warm_up
from edgetui.engine.measure.paired import apart, measure
from edgetui.engine.result import MemoryMb
from edgetui.engine.say import Silent
from edgetui.engine.spec import BackendSettings, FlatOut, Paced
from onnx import TensorProto as Type
from onnx import helper, numpy_helper

SHORT = Rule(half_width=5.0, measured_s=0.1, cap_s=4.0, block_s=0.02, samples=10)


class Listening(Silent):
    """Keeps readings, and how far into the measuring each pair of them came."""

    def __init__(self) -> None:
        super().__init__()
        self.readings: list[tuple[str, int]] = []
        self.told_at_s: list[float] = []

    def reading(self, side, latency_ms, mean_ms, half_width, samples):
        self.readings.append((side, samples))

    def progress(self, done, total=None, text=""):
        if text == "s of measuring":
            self.told_at_s.append(done)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A chain of matrix products: enough work for a clock to see."""
    weight = numpy_helper.from_array(np.full((64, 64), 0.01, np.float32), "w")
    names = ["x", *(f"h{n}" for n in range(7)), "y"]
    nodes = [helper.make_node("MatMul", [a, "w"], [b]) for a, b in itertools.pairwise(names)]
    value = {name: helper.make_tensor_value_info(name, Type.FLOAT, [1, 64]) for name in "xy"}
    graph = helper.make_graph(nodes, "g", [value["x"]], [value["y"]], [weight])
    path = tmp_path_factory.mktemp("models") / "chain.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


@pytest.fixture
def quick(monkeypatch):
    """The quick preset at a tenth of its length."""
    monkeypatch.setitem(latency.RULES, "quick", SHORT)
    monkeypatch.setattr(latency, "WARM_UP_S", 0.05)
    monkeypatch.setattr(latency, "_LEAST_BLOCK_S", 0.01)


FEEDS = {"x": np.ones((1, 64), np.float32)}


def loaded(model):
    return OnnxRuntime().load(model, BackendSettings(threads=1))


def test_a_pair_is_measured_and_every_sample_kept(model, quick):
    windows = []

    @contextlib.contextmanager
    def on_window(side):
        windows.append(side)
        yield

    say = Listening()
    found = measure(loaded(model), loaded(model), FEEDS, FlatOut(), "quick", 7, say, on_window)
    for side, figures in (("baseline", found.baseline), ("candidate", found.candidate)):
        samples = found.raw[f"{side}_ns"] / 1e6
        assert figures.n == len(samples) >= SHORT.samples
        assert figures.mean == pytest.approx(samples.mean())
        assert figures.min <= figures.p50 <= figures.max
        assert figures.blocks == len(found.raw[f"{side}_began_ns"]) == found.raw[f"{side}_block"][-1] + 1
        assert not figures.capped
        assert figures.missed_deadlines is None
    assert found.ratio.interleaved
    assert found.ratio.low <= found.ratio.value <= found.ratio.high
    order = ["candidate" if first else "baseline" for first in found.raw["candidate_first"]]
    assert windows[::2] == order
    assert windows.count("baseline") == windows.count("candidate") == found.baseline.blocks
    assert {side for side, _ in say.readings} == {"baseline", "candidate"}
    assert found.baseline.half_width is not None


@pytest.mark.parametrize("seed", range(4))
def test_the_order_is_drawn_by_the_seed_and_balanced(seed, monkeypatch):
    monkeypatch.setattr(latency, "_LEAST_BLOCK_S", 0)
    rule = Rule(half_width=1e9, measured_s=1e-9, cap_s=60, block_s=0, samples=24)

    def drawn(seed):
        sides = [Side(name, lambda: None) for name in ("baseline", "candidate")]
        return np.array(paired._take_pairs(sides, rule, seed, Silent(), lambda _: contextlib.nullcontext()))

    order = drawn(seed)
    assert len(order) >= 24
    assert all(order[start : start + 4].sum() == 2 for start in range(0, 24, 4))
    assert (drawn(seed)[:24] == order[:24]).all()
    assert (drawn(seed + 1)[:24] != order[:24]).any()


def test_one_side_alone_has_no_ratio_and_two_alone_have_one(model, quick):
    one, other = (measure(loaded(model), None, FEEDS, FlatOut(), "quick", 0, Silent()) for _ in range(2))
    assert one.candidate is None
    assert one.ratio.value is None
    ratio = apart(one, other)
    assert not ratio.interleaved
    assert ratio.low < ratio.value < ratio.high


def test_when_time_is_up_it_says_what_was_reached(model, quick, monkeypatch):
    monkeypatch.setitem(latency.RULES, "quick", replace(SHORT, samples=10**9, cap_s=0.2))
    say = Silent()
    found = measure(loaded(model), None, FEEDS, FlatOut(), "quick", 0, say)
    assert found.baseline.capped
    assert found.baseline.blocks >= 2
    assert "time was up" in say.warnings[0]


def test_readings_come_four_a_second_at_most(model, quick, monkeypatch):
    monkeypatch.setitem(latency.RULES, "quick", replace(SHORT, samples=10**9, cap_s=1.1))
    say = Listening()
    measure(loaded(model), loaded(model), FEEDS, FlatOut(), "quick", 0, say)
    assert [side for side, _ in say.readings] == ["baseline", "candidate"] * len(say.told_at_s)
    assert len(say.told_at_s) >= 2
    assert all(later - earlier > 0.5 for earlier, later in itertools.pairwise(say.told_at_s[:-1]))


def test_percentiles_without_samples_are_missing_with_the_reason():
    side = Side("baseline", lambda: None)
    side.blocks = [np.full(30, 1_000_000), np.full(34, 1_000_000)]
    figures, reasons = summarise(side, SHORT)
    assert (figures.p50, figures.p90, figures.p95, figures.p99) == (1.0, 1.0, None, None)
    assert reasons == {"p95": "needs 130 samples, has 64", "p99": "needs 662 samples, has 64"}


def test_the_rule_wants_samples_time_and_a_narrow_interval():
    rule = Rule(half_width=0.05, measured_s=1.0, cap_s=9.0, block_s=0.1)
    side = Side("baseline", lambda: None, windows_s=2.0)
    side.blocks = [np.full(40, 1_000_000 + 1000 * n) for n in range(4)]
    assert share_done(side, rule) == 1.0
    side.windows_s = 0.5
    assert share_done(side, rule) == 0.5
    side.windows_s, side.blocks = 2.0, side.blocks[:1]
    assert share_done(side, rule) == 0.0
    side.blocks = [np.full(40, value) for value in (1_000_000, 3_000_000)]
    assert share_done(side, rule) < 0.01


def test_beats_are_kept_and_late_ones_counted(monkeypatch):
    monkeypatch.setattr(latency, "WARM_UP_S", 0.01)
    begins = []
    slow = itertools.count()

    def infer():
        begins.append(time.monotonic())
        if next(slow) % 10 == 9:
            time.sleep(0.03)

    side = Side("baseline", infer, Paced(rate_hz=100.0))
    warm_up(side, Rule(half_width=1, measured_s=0.1, cap_s=5, block_s=0.3))
    assert side.per_block == 30
    begins.clear()
    take_block(side)
    assert side.missed >= 2
    beats = (np.array(begins) - side.began_ns[0] / 1e9) * 100
    assert (beats >= np.arange(1, 31) - 1e-3).all()  # none before its beat
    assert beats[-1] >= 30 + 4  # two were slow before the last: beats that went by are dropped, not caught up with
    figures, _ = summarise(side, SHORT)
    assert figures.missed_deadlines == side.missed


def test_a_slow_model_is_not_warmed_up_for_ever():
    side = Side("baseline", lambda: time.sleep(0.05))
    warm_up(side, Rule(half_width=1, measured_s=0.1, cap_s=0.2, block_s=0.1))
    assert side.per_block >= 1


def test_threads_that_stay_awake_are_noticed(monkeypatch):
    monkeypatch.setattr(latency, "_LONGEST_AWAKE_S", 0.1)
    assert stays_awake_s(lambda: None) < 0.1
    stop = time.monotonic() + 2

    def spin():
        while time.monotonic() < stop:
            pass

    thread = threading.Thread(target=spin)
    thread.start()
    assert stays_awake_s(lambda: None) > 0
    stop = 0
    thread.join()


def test_a_plan_alone_in_its_process_says_load_first_and_memory(model):
    code = """
import sys, msgspec, numpy as np
from pathlib import Path
from edgetui.engine.backends.onnxruntime import OnnxRuntime
from edgetui.engine.measure.probe import probe
from edgetui.engine.spec import BackendSettings
found = probe(OnnxRuntime(), Path(sys.argv[1]), BackendSettings(threads=1), {"x": np.ones((1, 64), np.float32)})
sys.stdout.buffer.write(msgspec.json.encode([found.load_ms, found.first_ms, found.memory]))
"""
    out = subprocess.run([sys.executable, "-c", code, str(model)], capture_output=True, check=True).stdout
    load_ms, first_ms, memory = msgspec.json.decode(out, type=tuple[float, float, MemoryMb])
    assert load_ms > 0
    assert first_ms > 0
    assert memory.plan is None
    assert 20 < memory.process_peak < 1000
    assert memory.system_drop >= 0


def test_the_caps_of_the_presets_are_those_of_the_protocol():
    assert {name: (rule.samples, rule.measured_s, rule.half_width) for name, rule in latency.RULES.items()} == {
        "quick": (64, 1.0, 0.10),
        "normal": (64, 5.0, 0.05),
        "precise": (64, 5.0, 0.01),
    }
    assert all(rule.block_s >= 0.1 for rule in latency.RULES.values())
    assert paired._LEAST_PAIRS >= 2


def test_the_most_samples_without_the_interval_is_not_what_was_wanted(monkeypatch):
    """A model of microseconds has a hundred thousand samples long before its blocks agree."""
    monkeypatch.setattr(latency, "MOST_SAMPLES", 80)
    side = Side("baseline", lambda: None, windows_s=2.0)
    side.blocks = [np.full(40, 1_000_000), np.full(40, 3_000_000)]
    assert latency.enough(side, SHORT)
    assert summarise(side, SHORT)[0].capped
    side.blocks, side.windows_s = [np.full(40, 1_000_000)] * 2, 0.0
    assert not summarise(side, SHORT)[0].capped
