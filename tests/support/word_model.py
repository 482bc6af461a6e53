"""A classifier of texts with nothing learnt but which words are good, and the tokenizer that it goes with."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from nodes import Net
from onnx import TensorProto

WORDS = ("[PAD]", "[UNK]", "good", "great", "fine", "bad", "awful", "poor", "the", "film", "is")
GOOD, BAD = WORDS[2:5], WORDS[5:8]
LENGTH = 8


def tokenizer(path: Path, words: Sequence[str] = WORDS) -> Path:
    """A `tokenizer.json` of whole words, as the library writes it."""
    document = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": {"type": "Lowercase"},
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": None,
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": {word: n for n, word in enumerate(words)}, "unk_token": "[UNK]"},
    }
    path.write_text(json.dumps(document))
    return path


def word_model(path: Path, *, length: int = LENGTH, masked: bool = True, noise: float = 0.0) -> Path:
    """Scores of bad and good: sums over the words that are no padding; `masked`: with an input that says which are."""
    net = Net()
    ids = net.input("input_ids", 1, length, kind=TensorProto.INT64)
    table = np.zeros((len(WORDS), 2), np.float32)
    for place, word in enumerate(WORDS):
        table[place] = (word in BAD, word in GOOD)
    table += noise * np.random.default_rng(0).standard_normal(table.shape).astype(np.float32)
    found = net.node("Gather", net.constant(table), ids, axis=0)
    if masked:
        mask = net.input("attention_mask", 1, length, kind=TensorProto.INT64)
        shares = net.node("Unsqueeze", net.node("Cast", mask, to=TensorProto.FLOAT), net.constant(np.array([2], np.int64)))
        found = net.node("Mul", found, shares)
    onnx.save(net.model(net.node("ReduceSum", found, net.constant(np.array([1], np.int64)), keepdims=0)), path)
    return path


def reviews(path: Path, count: int = 40, *, shuffled: bool = False, labels: Sequence[str] = ("0", "1")) -> Path:
    """Texts with a tab and a label behind them."""
    draw = np.random.default_rng(3)
    lines, told = [], []
    for _ in range(count):
        label = int(draw.integers(0, 2))
        lines.append(f"The film is {draw.choice((BAD, GOOD)[label])}")
        told.append(labels[label])
    told = list(draw.permutation(told)) if shuffled else told
    path.write_text("".join(f"{line}\t{label}\n" for line, label in zip(lines, told, strict=True)))
    return path
