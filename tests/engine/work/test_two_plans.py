"""Two plans that are one: thresholds 0 and 1 are each plan alone, to the bit; a rule from elsewhere is read with care."""

from __future__ import annotations

from pathlib import Path

import msgspec
import numpy as np
import pytest
from edgetui.engine.backends.onnxruntime.adapter import OnnxRuntime
from edgetui.engine.errors import PlanRefused
from edgetui.engine.schema.escalation import RULE, EscalationRule, RunTimeLimits, decode_rule
from edgetui.engine.schema.settings import BackendSettings
from edgetui.engine.work.two_plans import Escalated, TwoPlans, files_of, load_plan
from linear_models import linear

SETTINGS = BackendSettings(threads=1)
DRAW = np.random.default_rng(0)
FEEDS = [{"x": DRAW.standard_normal((1, 6)).astype(np.float32)} for _ in range(64)]


@pytest.fixture(scope="module")
def plans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with both plans; the first rounds its weights to whole numbers."""
    folder = tmp_path_factory.mktemp("plans")
    weights = (2 * DRAW.standard_normal((6, 3))).astype(np.float32)
    linear(folder / "narrow.onnx", np.round(weights))
    linear(folder / "wide.onnx", weights)
    return folder


def two(plans: Path, threshold: float, limits: RunTimeLimits | None = None, *, cooperative: bool = False) -> TwoPlans:
    rule = EscalationRule(narrow="narrow.onnx", wide="wide.onnx", threshold=threshold, limits=limits or RunTimeLimits())
    path = plans / RULE
    path.write_bytes(msgspec.json.encode(rule))
    counted = Escalated(rule, lambda: (None, None), moves=not cooperative)
    session = load_plan(OnnxRuntime(), path, SETTINGS, cooperative=cooperative, counted=counted)
    assert isinstance(session, TwoPlans)
    return session


def alone(plans: Path, name: str) -> list[bytes]:
    session = OnnxRuntime().load(plans / f"{name}.onnx", SETTINGS)
    return [session.run(feeds)["y"].tobytes() for feeds in FEEDS]


@pytest.mark.parametrize(("threshold", "name", "share"), [(0.0, "narrow", 0.0), (1.0, "wide", 1.0)])
def test_at_either_end_it_is_that_plan_to_the_bit(plans, threshold, name, share):
    session = two(plans, threshold)
    assert [session.run(feeds)["y"].tobytes() for feeds in FEEDS] == alone(plans, name)
    over = session.over(FEEDS)
    assert [over(number)["y"].tobytes() for number in range(len(FEEDS))] == alone(plans, name)
    assert session.counted.share == share
    assert session.counted.seen == 2 * len(FEEDS)
    session.close()


def test_between_them_each_input_has_the_outputs_of_one_plan(plans):
    session, narrow, wide = two(plans, 0.5), alone(plans, "narrow"), alone(plans, "wide")
    told = [session.run(feeds)["y"].tobytes() for feeds in FEEDS]
    ran_again = [told[n] == wide[n] for n in range(len(FEEDS))]
    assert all(told[n] in (narrow[n], wide[n]) for n in range(len(FEEDS)))
    assert 0 < sum(ran_again) == session.counted.again < len(FEEDS)
    more = two(plans, 0.8)
    assert sum(more.run(feeds)["y"].tobytes() == wide[n] for n, feeds in enumerate(FEEDS)) > sum(ran_again)


def test_what_is_timed_over_samples_is_what_is_run(plans):
    session = two(plans, 0.5)
    over = session.over(FEEDS)
    by_number = [over(number)["y"].tobytes() for number in range(len(FEEDS))]
    assert by_number == [session.run(feeds)["y"].tobytes() for feeds in FEEDS]
    once = session.timed(FEEDS[0])
    session.counted.forget()
    once()
    assert session.counted.seen == 1


def test_a_deadline_that_nothing_keeps_leaves_the_first_plan(plans):
    session = two(plans, 1.0, RunTimeLimits(deadline_ms=1e-6))
    over = session.over(FEEDS)
    for n in range(64 * 60):
        over(n % len(FEEDS))
    session.counted.forget()
    assert [over(n)["y"].tobytes() for n in range(len(FEEDS))] == alone(plans, "narrow")
    assert session.counted.again == 0
    assert session.counted.mean_threshold < 1e-3


def test_what_is_evaluated_stays_at_its_threshold_whatever_the_limits(plans):
    session = two(plans, 1.0, RunTimeLimits(deadline_ms=1e-6), cooperative=True)
    for feeds in FEEDS * 2:
        session.run(feeds)
    assert session.counted.threshold == 1.0
    session.counted.held = 0.0
    assert session.run(FEEDS[0])["y"].tobytes() == alone(plans, "narrow")[0]


def test_a_limit_that_no_sensor_tells_of_is_named(plans):
    session = two(plans, 0.5, RunTimeLimits(power_w=5.0))
    for feeds in FEEDS:
        session.run(feeds)
    assert session.counted.unheard == {"power_w"}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"{", "not valid JSON"),
        (b'{"narrow": "a.onnx", "wide": "../b.onnx", "threshold": 0.5}', "outside its folder"),
        (b'{"narrow": "/etc/passwd", "wide": "b.onnx", "threshold": 0.5}', "outside its folder"),
        (b'{"narrow": "", "wide": "b.onnx", "threshold": 0.5}', "outside its folder"),
        (b'{"narrow": "a.onnx", "wide": "b.onnx", "threshold": 1.5}', "no rule for two plans"),
        (b'{"narrow": "a.onnx", "wide": "b.onnx", "threshold": 0.5, "run": "sh"}', "no rule for two plans"),
    ],
)
def test_a_rule_from_elsewhere_is_refused(text, said):
    with pytest.raises(PlanRefused, match=said) as caught:
        decode_rule(text, RULE)
    assert caught.value.fix


def test_a_rule_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(PlanRefused, match="cannot be read"):
        files_of(tmp_path / RULE)
