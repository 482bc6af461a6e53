"""Texts become token ids as the model's own tokenizer makes them; what cannot be used is left out, counted and named."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from edgetui.engine.data.fingerprint import fingerprint
from edgetui.engine.data.labelled_texts import LabelledText, read_texts
from edgetui.engine.data.open import open_samples
from edgetui.engine.data.samples import Samples
from edgetui.engine.errors import DataRefused
from edgetui.engine.library.datasets import read_dataset
from edgetui.engine.schema.model_facts import TensorFacts
from edgetui.engine.schema.spec import Dataset
from edgetui.engine.system.reporter import NullReporter
from hypothesis import given
from hypothesis import strategies as st
from word_model import LENGTH, WORDS, reviews, tokenizer

IDS = TensorFacts(name="input_ids", dtype="int64", shape=(1, "length"))
MASK = TensorFacts(name="attention_mask", dtype="int64", shape=(1, "length"))
TYPES = TensorFacts(name="token_type_ids", dtype="int32", shape=(1, "length"))
SHAPES = {each.name: (1, LENGTH) for each in (IDS, MASK, TYPES)}


@pytest.fixture
def library() -> None:
    pytest.importorskip("tokenizers", reason="needs tokenizers")


@pytest.fixture
def set_of(tmp_path: Path):
    """A TSV of these lines, and a tokenizer beside it."""

    def make(text: str | bytes, **described: object) -> Dataset:
        path = tmp_path / "set.tsv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        made = Dataset(kind="text", path=str(path), task="text-classification", tokenizer=str(tokenizer(tmp_path / "t.json")))
        return type(made)(**{**{name: getattr(made, name) for name in made.__struct_fields__}, **described})

    return make


def opened(dataset: Dataset, say: NullReporter | None = None, inputs=(IDS, MASK, TYPES), known=None, shapes=SHAPES) -> Samples:
    return open_samples(dataset, inputs, shapes, "all", 0, say or NullReporter(), known_ids=known or {})


def test_texts_are_padded_and_cut_with_mask_and_types_by_the_inputs_names(library: None, set_of):
    samples = opened(set_of("0\tThe film is bad\n1\tgood great fine good great fine good great fine\n"))
    (batch,) = samples.batches(2)
    assert batch.feeds["input_ids"].tolist() == [[8, 9, 10, 5, 0, 0, 0, 0], [2, 3, 4, 2, 3, 4, 2, 3]]
    assert batch.feeds["attention_mask"].tolist() == [[1] * 4 + [0] * 4, [1] * 8]
    assert batch.feeds["token_type_ids"].dtype == np.int32
    assert batch.labels.tolist() == [0, 1]
    assert (samples.truth, samples.labels) == ("classes", True)
    assert samples.names() == ["line 1", "line 2"]


def test_a_bare_tsv_takes_the_tokenizer_beside_it(library: None, tmp_path: Path):
    tokenizer(tmp_path / "tokenizer.json")
    dataset = read_dataset(str(reviews(tmp_path / "dev.tsv")), {})
    assert (dataset.kind, dataset.task, dataset.tokenizer) == ("text", "text-classification", str(tmp_path / "tokenizer.json"))
    assert len(opened(dataset)) == 40


def test_a_toml_file_names_the_tokenizer_and_its_content_counts(tmp_path: Path):
    reviews(tmp_path / "dev.tsv")
    (tmp_path / "in").mkdir()
    tokenizer(tmp_path / "in" / "t.json")
    (tmp_path / "set.toml").write_text('kind = "text"\npath = "dev.tsv"\ntokenizer = "in/t.json"\n')
    dataset = read_dataset(str(tmp_path / "set.toml"), {})
    assert dataset.tokenizer == str(tmp_path / "in" / "t.json")
    before = fingerprint(dataset)
    tokenizer(tmp_path / "in" / "t.json", WORDS[::-1])
    assert fingerprint(dataset) != before
    (tmp_path / "in" / "t.json").unlink()
    with pytest.raises(DataRefused, match="`tokenizer` points at"):
        read_dataset(str(tmp_path / "set.toml"), {})


def test_no_tokenizer_and_no_library_are_said(set_of, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(DataRefused, match=r"nothing says how .* become token ids; put the model's tokenizer\.json beside it"):
        opened(set_of("0\tgood\n1\tbad\n", tokenizer=""))
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(DataRefused, match=r"needs? the package tokenizers.*pip install 'edgetui\[text\]'"):
        opened(set_of("0\tgood\n1\tbad\n"))


@pytest.mark.parametrize("broken", ["", "{", "{}", "[1]", '{"model": {"type": "Nothing"}}'])
def test_a_broken_tokenizer_is_refused(library: None, broken: str, set_of):
    dataset = set_of("0\tgood\n1\tbad\n")
    Path(dataset.tokenizer).write_text(broken)
    with pytest.raises(DataRefused, match=r"t\.json is no tokenizer\.json"):
        opened(dataset)


def test_what_the_tokenizer_cannot_encode_is_a_broken_sample(library: None, set_of):
    dataset = set_of("0\tgood\n1\tunheard\n0\tbad\n1\tfine\n")
    told = json.loads(Path(dataset.tokenizer).read_text())
    told["model"] |= {"unk_token": "[NONE]"}
    Path(dataset.tokenizer).write_text(json.dumps(told))
    heard = NullReporter()
    samples = opened(dataset, heard)
    assert sum(batch.n for batch in samples.batches(1)) == 3
    assert "set.tsv, line 2 is passed over: its tokenizer.json makes no ids of it: WordLevel error" in heard.warnings[0]


PANICS = {
    "normalizer": {"type": "Replace", "pattern": {"Regex": "(a*)*$"}, "content": "b"},
    "pre_tokenizer": {"type": "FixedLength", "length": 0},
}
"""What the library's Rust code panics of: an expression that tries for ever, and pieces of no length."""


@pytest.mark.parametrize("part", PANICS)
def test_a_tokenizer_that_panics_is_said_and_ends_no_process(library: None, part: str, set_of):
    dataset = set_of(f"0\tgood\n1\t{'a' * 40}b\n0\tbad\n")
    told = json.loads(Path(dataset.tokenizer).read_text())
    Path(dataset.tokenizer).write_text(json.dumps(told | {part: PANICS[part]}))
    heard = NullReporter()
    if part == "normalizer":
        assert sum(batch.n for batch in opened(dataset, heard).batches(1)) == 2
        assert "set.tsv, line 2 is passed over: its tokenizer.json makes no ids of it: Onig" in heard.warnings[0]
    else:
        with pytest.raises(DataRefused, match="makes no ids of it: chunk size must be non-zero"):
            list(opened(dataset, heard).batches(1))


def test_a_tokenizer_that_panics_when_it_is_read_is_refused(library: None, set_of):
    dataset = set_of("0\tgood\n1\tbad\n")
    told = json.loads(Path(dataset.tokenizer).read_text())
    Path(dataset.tokenizer).write_text(
        json.dumps(told | {"normalizer": {"type": "Precompiled", "precompiled_charsmap": "AAAA"}})
    )
    with pytest.raises(DataRefused):
        list(opened(dataset).batches(1))


def test_a_tsv_of_a_spreadsheet_is_utf_16(library: None, set_of):
    (batch,) = opened(set_of("0\tbad\r\n1\tgood\r\n".encode("utf-16"))).batches(2)
    assert batch.labels.tolist() == [0, 1]


def test_ids_that_the_model_does_not_know_are_broken_samples(library: None, set_of):
    heard = NullReporter()
    samples = opened(set_of("1\tgood\n0\tthe bad\n1\tfine\n"), heard, known={"input_ids": 6})
    assert sum(batch.n for batch in samples.batches(2)) == 2
    assert "t.json has 11 tokens, and input input_ids of the model takes 6" in heard.warnings[0]
    assert heard.warnings[1] == "set.tsv, line 2 is passed over: it has the id 8, and input input_ids takes 6"


def test_ids_in_arrays_are_held_against_the_vocabulary_too(tmp_path: Path):
    np.savez(tmp_path / "ids.npz", input_ids=np.array([[1, 2], [9, 0], [3, -7]]), labels=np.array([0, 1, 1]))
    dataset = Dataset(kind="npz", path=str(tmp_path / "ids.npz"), task="text-classification")
    heard = NullReporter()
    samples = opened(dataset, heard, (IDS,), {"input_ids": 6}, {"input_ids": (1, 2)})
    assert [batch.labels.tolist() for batch in samples.batches(4)] == [[0]]
    assert [said.partition("sample ")[2][:1] for said in heard.warnings] == ["1", "2"]


@pytest.mark.parametrize(
    ("inputs", "shapes", "said"),
    [
        ((TensorFacts(name="x", dtype="float", shape=(1, 8)),), {"x": (1, 8)}, "takes no token ids"),
        ((TensorFacts(name="x", dtype="int64", shape=(1, 8, 2)),), {"x": (1, 8, 2)}, "takes no token ids"),
        ((IDS, MASK), {"input_ids": (1, 8), "attention_mask": (1, 9)}, "not of one length"),
        ((IDS,), {"input_ids": (1, 1)}, "--shape input_ids=1x128"),
    ],
)
def test_models_that_take_no_texts_are_refused(inputs, shapes, said: str, set_of):
    with pytest.raises(DataRefused, match=said):
        opened(set_of("0\tgood\n1\tbad\n"), None, inputs, None, shapes)


def lines(text: str, tmp_path: Path, classes: tuple[str, ...] = (), say: NullReporter | None = None) -> list[LabelledText]:
    (tmp_path / "a.tsv").write_text(text)
    return read_texts(tmp_path / "a.tsv", classes, say or NullReporter(), labelled=True)


@pytest.mark.parametrize(
    "text",
    [
        "0\tbad film\n1\tgood one\n",
        "bad film\t0\ngood one\t1\n",
        "label\ttext\n0\tbad film\n1\tgood one\n",
        "sentence\tlabel\r\nbad film\t0\r\ngood one\t1\r\n",
        "a\tb\n0\tbad film\n1\tgood one\n",
        "\ufeff0\tbad film\n\n1\tgood one",
        "id\tlabel\ttext\n7\t0\tbad film\n8\t1\tgood one\n",
    ],
)
def test_columns_are_told_by_their_names_or_what_is_in_them(text: str, tmp_path: Path):
    assert [(each.label, each.text) for each in lines(text, tmp_path)] == [(0, "bad film"), (1, "good one")]


def test_names_of_classes_are_labels(tmp_path: Path):
    found = lines("Bad\tbad film\ngood\tgood one\n", tmp_path, ("bad", "good"))
    assert [each.label for each in found] == [0, 1]


def test_lines_that_cannot_be_used_are_counted_and_named(tmp_path: Path):
    heard = NullReporter()
    assert len(lines("0\tbad\nx\tgood\n1\n1\t \n1\tfine\n2.5\twhat\n", tmp_path, say=heard)) == 2
    assert heard.warnings == [
        "a.tsv: lines are passed over: 2 whose label is no number (line 2, 6); 1 without 2 columns (line 3); "
        "1 without a text (line 4)"
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "is empty"),
        ("\n \n", "is empty"),
        ("a\tb\nc\td\n", "no column of .* is a label"),
        ("0\ta\tb\n1\tc\td\n", "has 3 columns"),
        ("0\t\n1\t\n", "no line of .* can be used: 2 without a text"),
    ],
)
def test_what_holds_no_labelled_texts_is_refused(text: str, said: str, tmp_path: Path):
    with pytest.raises(DataRefused, match=said):
        lines(text, tmp_path)


@given(st.text("01\t\n abé\r", max_size=60))
def test_whatever_is_in_a_file_it_is_texts_or_said(tmp_path_factory: pytest.TempPathFactory, text: str):
    try:
        found = lines(text, tmp_path_factory.getbasetemp())
    except DataRefused as error:
        assert error.fix  # noqa: PT017
    else:
        assert all(each.text.strip() for each in found)


def test_the_words_of_real_reviews_are_read(shared: Path):
    heard = NullReporter()
    found = read_texts(shared / "sst2" / "dev.tsv", (), heard, labelled=True)
    assert (len(found), heard.warnings) == (872, [])
    assert {each.label for each in found} == {0, 1}
