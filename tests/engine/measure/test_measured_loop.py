"""The measured loop on real sessions: blocks, pairs, beats and rules. No figure of time is asserted, only what must hold."""

from __future__ import annotations

import itertools
import subprocess
import sys
import threading
import time
import weakref
from dataclasses import replace

import msgspec
import numpy as np
import onnx
import pytest
from edgetui.engine.backends.onnxruntime.adapter import OnnxRuntime
from edgetui.engine.measure import latency, turns
from edgetui.engine.measure.latency import Rule, Side, stays_awake_s, summarise, take_block, warm_up
from edgetui.engine.measure.paired import measure
from edgetui.engine.measure.turns import in_turns, orders, share_decided, share_done
from edgetui.engine.schema.figures import MemoryMb
from edgetui.engine.schema.settings import BackendSettings
from edgetui.engine.schema.workloads import FlatOut, Paced
from edgetui.engine.system.reporter import NullReporter
from issuing import issuing
from onnx import TensorProto as Type
from onnx import helper, numpy_helper

SHORT = Rule(
    half_width=5.0, measured_s=0.1, cap_s=4.0, block_s=0.02, samples=10, warm_up_s=0.05, least_block_s=0.01, independent=0
)


class Listening(NullReporter):
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


FEEDS = {"x": np.ones((1, 64), np.float32)}


def loaded(model):
    return OnnxRuntime().load(model, BackendSettings(threads=1))


def two(model):
    return {"baseline": loaded(model), "candidate": loaded(model)}


def test_a_pair_is_measured_and_every_sample_kept(model, quick):
    say = Listening()
    found = measure(two(model), FEEDS, FlatOut(), "quick", 7, say)
    raw, ratio = found.raw(baseline="baseline", candidate="candidate"), found.ratios["candidate", "baseline"]
    for side, figures in found.latencies.items():
        samples = raw[f"{side}_ns"] / 1e6
        assert figures.n == len(samples) >= SHORT.samples
        assert figures.mean == pytest.approx(samples.mean())
        assert figures.min <= figures.p50 <= figures.max
        assert figures.blocks == len(raw[f"{side}_began_ns"]) == raw[f"{side}_block"][-1] + 1
        assert not figures.capped
        assert figures.missed_deadlines is None
    assert ratio.interleaved
    assert ratio.low <= ratio.value <= ratio.high
    assert found.ratios["baseline", "candidate"].value == pytest.approx(1 / ratio.value)
    windows = [side for _, side in sorted((at_ns, side) for side in found.sides for at_ns in raw[f"{side}_began_ns"])]
    order = [["baseline", "candidate"][each[0]] for each in orders(2, len(windows) // 2, 7)]
    assert windows[::2] == order
    assert windows.count("baseline") == windows.count("candidate") == found.latencies["baseline"].blocks
    assert {side for side, _ in say.readings} == {"baseline", "candidate"}
    assert found.latencies["baseline"].half_width is not None


def with_blocks(blocks, windows_s=2.0):
    side = Side("baseline", issuing(lambda: None))
    for block in blocks:
        side.add(block, 0, windows_s / len(blocks))
    return side


@pytest.mark.parametrize("seed", range(4))
def test_the_order_is_drawn_by_the_seed_and_balanced(seed):
    rule = Rule(half_width=1e9, measured_s=1e-9, cap_s=60, block_s=0, samples=24, least_block_s=0, independent=24)

    def drawn(seed):
        sides = [Side(name, issuing(lambda: None)) for name in ("baseline", "candidate")]
        order = in_turns(sides, lambda side: take_block(side, rule), rule, seed, NullReporter(), time.perf_counter)
        return np.array([side[0] == 1 for side in order])

    order = drawn(seed)
    assert len(order) >= 24
    assert order[:24].sum() == 12
    assert (drawn(seed)[:24] == order[:24]).all()
    assert (drawn(seed + 1)[:24] != order[:24]).any()


def test_one_side_alone_has_no_ratio(model, quick):
    found = measure({"baseline": loaded(model)}, FEEDS, FlatOut(), "quick", 0, NullReporter())
    assert list(found.latencies) == ["baseline"]
    assert not found.ratios


def test_when_time_is_up_it_says_what_was_reached(model, quick, monkeypatch):
    monkeypatch.setitem(latency.RULES, "quick", replace(SHORT, samples=10**9, cap_s=0.2))
    say = NullReporter()
    found = measure({"baseline": loaded(model)}, FEEDS, FlatOut(), "quick", 0, say)
    assert found.latencies["baseline"].capped
    assert found.latencies["baseline"].blocks >= 2
    assert "time was up" in say.warnings[0]


def test_readings_come_four_a_second_at_most(model, quick, monkeypatch):
    monkeypatch.setitem(latency.RULES, "quick", replace(SHORT, samples=10**9, cap_s=1.1))
    say = Listening()
    measure(two(model), FEEDS, Paced(rate_hz=200), "quick", 0, say)
    assert [side for side, _ in say.readings] == ["baseline", "candidate"] * len(say.told_at_s)
    assert len(say.told_at_s) >= 2
    assert all(later - earlier > 0.5 for earlier, later in itertools.pairwise(say.told_at_s[:-1]))


def test_percentiles_without_samples_are_missing_with_the_reason():
    side = with_blocks([np.full(30, 1_000_000), np.full(34, 1_000_000)])
    figures, reasons = summarise(side, SHORT, capped=False)
    assert (figures.p50, figures.p90, figures.p95, figures.p99) == (1.0, 1.0, None, None)
    assert reasons == {"p95": "needs 130 samples, has 64", "p99": "needs 662 samples, has 64"}


def test_the_rule_wants_samples_time_and_a_narrow_interval():
    rule = Rule(half_width=0.05, measured_s=1.0, cap_s=9.0, block_s=0.1, independent=0)
    blocks = [np.full(40, 1_000_000 + 1000 * n) for n in range(4)]
    assert share_done([with_blocks(blocks)], rule) == 1.0
    assert share_done([with_blocks(blocks)], replace(rule, independent=4)) < 1.0  # each resembles the one before
    assert share_done([with_blocks(blocks, 0.5)], rule) == 0.5
    assert share_done([with_blocks(blocks[:1])], rule) == 0.0
    assert share_done([with_blocks([np.full(40, value) for value in (1_000_000, 3_000_000)])], rule) < 0.01


def test_beats_are_kept_and_late_ones_counted():
    begins = []
    slow = itertools.count()

    def infer():
        begins.append(time.monotonic())
        if next(slow) % 10 == 9:
            time.sleep(0.03)

    side = Side("baseline", issuing(infer, Paced(rate_hz=100.0)))
    rule = Rule(half_width=1, measured_s=0.1, cap_s=5, block_s=0.3, warm_up_s=0.01)
    warm_up(side, rule)
    assert side.per_block == 30
    begins.clear()
    take_block(side, rule)
    misses = side.issuer.told().figures.misses
    assert misses.count >= 2
    assert misses.n == 30
    beats = (np.array(begins) - side.began_ns[0] / 1e9) * 100
    assert (beats >= np.arange(1, 31) - 1e-3).all()  # none before its beat
    assert beats[-1] >= 30 + 4  # two were slow before the last: beats that went by are dropped, not caught up with
    assert misses.dropped >= 4


def test_a_slow_model_is_not_warmed_up_for_ever():
    side = Side("baseline", issuing(lambda: time.sleep(0.05)))
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
from edgetui.engine.backends.onnxruntime.adapter import OnnxRuntime
from edgetui.engine.measure.probe import probe
from edgetui.engine.schema.spec import BackendSettings
found = probe(OnnxRuntime(), Path(sys.argv[1]), BackendSettings(threads=1), {"x": np.ones((1, 64), np.float32)})
sys.stdout.buffer.write(msgspec.json.encode([found.load_ms, found.first_ms, found.memory]))
"""
    out = subprocess.run([sys.executable, "-c", code, str(model)], capture_output=True, check=True).stdout
    load_ms, first_ms, memory = msgspec.json.decode(out, type=tuple[float, float, MemoryMb])
    assert load_ms > 0
    assert first_ms > 0
    assert memory.plan is None
    assert 20 < memory.process_peak < 1000
    assert memory.system_drop is None or memory.system_drop > 0


def test_a_shortened_measurement_says_what_it_is_worth(monkeypatch):
    say = NullReporter()
    assert latency.rule_of("quick", say) == latency.RULES["quick"]
    for wanted in ("", "0", "soon", "-1", "nan"):
        monkeypatch.setenv("EDGETUI_MEASURE_S", wanted)
        assert latency.rule_of("normal", say) == latency.RULES["normal"]
    assert say.warnings == []
    monkeypatch.setenv("EDGETUI_MEASURE_S", "0.1")
    assert latency.rule_of("normal", say).measured_s == 0.1
    assert "too short to decide on" in say.warnings[0]


def test_the_caps_of_the_presets_are_those_of_the_protocol():
    assert {name: (rule.samples, rule.measured_s, rule.half_width) for name, rule in latency.RULES.items()} == {
        "quick": (64, 1.0, 0.10),
        "normal": (64, 5.0, 0.05),
        "precise": (64, 5.0, 0.01),
    }
    assert all((rule.warm_up_s, rule.least_block_s) == (2.0, 0.1) for rule in latency.RULES.values())
    assert all(rule.block_s >= 0.1 for rule in latency.RULES.values())
    assert all(rule.independent == 16 for rule in latency.RULES.values())
    assert turns.LEAST_ROUNDS >= 2


def test_the_most_samples_without_the_interval_is_not_what_was_wanted(monkeypatch):
    """A model of microseconds has a hundred thousand samples long before its blocks agree."""
    monkeypatch.setattr(turns, "MOST_SAMPLES", 80)
    rule = replace(SHORT, independent=0)
    apart = [with_blocks([np.full(40, 1_000_000), np.full(40, 3_000_000)])]
    assert share_done(apart, rule) == 1
    assert share_decided(apart, rule) < 1
    assert share_decided([with_blocks([np.full(40, 1_000_000)] * 2, 0.0)], rule) == 1


def test_plans_are_loaded_anew_between_blocks_and_no_sample_is_lost(model, monkeypatch):
    settings, open_now, loads, held = BackendSettings(), set(), [], []
    monkeypatch.setitem(latency.RULES, "quick", replace(SHORT, independent=2.0))

    def load(name):
        assert name not in open_now, "the last one was not closed before"
        assert sum(each() is not None for each in held) < 2, "its memory is not free"
        session = OnnxRuntime().load(model, settings)
        closing = session.close
        session.close = lambda: (open_now.discard(name), closing())
        held.append(weakref.ref(session._session))
        open_now.add(name)
        loads.append(name)
        return session

    sessions = {name: load(name) for name in ("baseline", "candidate")}
    feeds, say = {"x": np.ones((1, 64), np.float32)}, NullReporter()
    found = measure(sessions, feeds, FlatOut(), "quick", 0, say, load=load)
    for session in sessions.values():
        session.close()
    assert set(loads[2:]) == {"baseline", "candidate"}
    assert not open_now
    for name, side in found.sides.items():
        assert found.latencies[name].n == sum(len(block) for block in side.blocks)
        assert len(side.blocks) == len(side.began_ns) >= 2


def test_what_goes_on_from_block_to_block_is_loaded_once():
    from edgetui.engine.measure.cycle import CycleIssuer
    from edgetui.engine.measure.issuer import Issuer
    from edgetui.engine.measure.paced import PacedIssuer
    from edgetui.engine.measure.streams import StreamsIssuer
    from edgetui.engine.measure.tracking import TrackingIssuer

    assert Issuer.loaded_anew
    assert PacedIssuer.loaded_anew
    assert not any(kind.loaded_anew for kind in (CycleIssuer, StreamsIssuer, TrackingIssuer))
