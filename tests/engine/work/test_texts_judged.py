"""Classifiers of texts over a TSV: accuracy of both sides and their paired difference."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
from edgetui.engine.graph.vocabulary import vocabularies, vocabularies_of
from edgetui.engine.library.datasets import read_dataset
from edgetui.engine.runs.outcome import Outcome
from edgetui.engine.schema.model_facts import TensorFacts
from edgetui.engine.system.reporter import NullReporter
from evaluating import evaluated
from word_model import LENGTH, WORDS, reviews, tokenizer, word_model

SHAPES = {"input_ids": (1, LENGTH), "attention_mask": (1, LENGTH)}
INPUTS = [TensorFacts(name=name, dtype="int64", shape=shape) for name, shape in SHAPES.items()]


def compared(model: Path, other: Path, texts: Path, say: NullReporter | None = None) -> Outcome:
    pytest.importorskip("tokenizers", reason="needs tokenizers")
    return evaluated(model, other, read_dataset(str(texts), {}), INPUTS, SHAPES, say)


def described(folder: Path, count: int = 100, **how: bool) -> Path:
    """A TOML file: calibration texts apart, so that all of the others are evaluated."""
    tokenizer(folder / "tokenizer.json")
    reviews(folder / "dev.tsv", count, **how)
    reviews(folder / "train.tsv", 10)
    (folder / "set.toml").write_text('kind = "text"\npath = "dev.tsv"\ncalibration = "train.tsv"\nclasses = ["bad", "good"]\n')
    return folder / "set.toml"


def test_a_worse_candidate_is_shown_to_be_worse(tmp_path: Path):
    model = word_model(tmp_path / "a.onnx")
    found = compared(model, word_model(tmp_path / "b.onnx", noise=1.0), described(tmp_path))
    one, other = found.baseline.accuracy, found.candidate.accuracy
    assert (one.top1, one.f1, one.n) == (1, 1, 100)
    assert other.top1 < 0.95
    assert found.difference.top1_points.high < 0
    assert found.difference.f1_points.high < 0
    assert other.agreement == pytest.approx(other.top1)
    assert "2 classes apart" in found.reasons["candidate.accuracy.top5"]


def test_the_same_plan_twice_differs_in_nothing(tmp_path: Path):
    model = word_model(tmp_path / "a.onnx")
    points = compared(model, model, described(tmp_path)).difference.f1_points
    assert (points.value, points.low, points.high) == (0, 0, 0)


def test_labels_of_other_texts_are_implausible(tmp_path: Path):
    heard = NullReporter()
    model = word_model(tmp_path / "a.onnx")
    found = compared(model, model, described(tmp_path, 1500, shuffled=True), heard)
    assert found.baseline.accuracy.top1_low < 0.5 < found.baseline.accuracy.top1_high
    assert "implausible for a trained model" in heard.warnings[-1]


def test_what_a_models_tables_hold_is_read_from_its_graph(tmp_path: Path):
    assert vocabularies(onnx.load(word_model(tmp_path / "a.onnx"))) == {"input_ids": len(WORDS)}
    assert vocabularies_of(tmp_path / "gone.onnx") == {}
