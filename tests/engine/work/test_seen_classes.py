"""The same class on both sides, without labels: told where outputs are classes, and never where nothing says that they are."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from edgetui.engine.data.samples import Batch
from edgetui.engine.schema.spec import Dataset
from edgetui.engine.tasks.exporter import ExportNotes
from edgetui.engine.work.seen_classes import SeenClasses

DRAW = np.random.default_rng(0)
LOGITS = DRAW.standard_normal((40, 6))
SHARES = np.exp(LOGITS) / np.exp(LOGITS).sum(axis=1, keepdims=True)


def looked(a, b, *, labels=False, classes=(), truth="", task=""):
    data = Dataset(kind="detection" if truth else "npz", path="/data", classes=classes)
    found = SeenClasses(data, SimpleNamespace(labels=labels, truth=truth), ExportNotes(task))
    for start in range(0, len(a), 10):
        rows = slice(start, start + 10)
        found.look(Batch({}, None, len(a[rows])), {"y": a[rows].astype(np.float32)}, {"y": b[rows].astype(np.float32)})
    return found


def test_a_model_is_of_its_own_opinion():
    told = looked(SHARES, SHARES).figures(0)
    assert told.agreement == told.agreement_high == 1
    assert 0.85 < told.agreement_low < 1  # forty alike do not show that all are


def test_another_opinion_is_counted():
    other = SHARES.copy()
    other[:10] = np.roll(other[:10], 1, axis=1)
    told = looked(SHARES, other).figures(0)
    assert told.agreement == 0.75
    assert told.agreement_low < 0.75 < told.agreement_high < 1


@pytest.mark.parametrize("said", [{"labels": True}, {"classes": ("a", "b")}, {"task": "classify"}])
def test_logits_are_classes_where_somebody_says_so(said):
    assert looked(LOGITS, LOGITS, **said).figures(0).agreement == 1


@pytest.mark.parametrize("said", [{}, {"classes": ("a", "b"), "truth": "boxes"}])
def test_of_what_may_be_an_embedding_nothing_is_claimed(said):
    found = looked(LOGITS, LOGITS, **said)
    assert found.figures(0).agreement is None
    assert "classes" in found.reasons()["candidate.accuracy.agreement"]


def test_maps_are_no_classes():
    maps = DRAW.standard_normal((4, 3, 5, 5))
    found = looked(maps, maps, labels=True)
    assert found.figures(0).agreement is None
    assert "no output of the model tells classes apart" in found.reasons()["candidate.accuracy.agreement"]
