"""JSON, TOML and archives that are damaged or made to harm: an error in words, or passed over, never a traceback."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from edgetui.engine.advice.spread import SampleSet
from edgetui.engine.config import read_toml
from edgetui.engine.data.arrays import open_arrays
from edgetui.engine.errors import ConfigRefused, DataRefused
from edgetui.engine.library.datasets import read_dataset
from edgetui.engine.measure.latency_histograms import spreads
from edgetui.engine.runs.cache import StageCache
from edgetui.engine.runs.folder import RunDir, ticket
from edgetui.engine.schema import events
from edgetui.engine.schema.model_facts import TensorFacts
from edgetui.engine.system.reporter import NullReporter

DEEP = b"[" * 100_000


@pytest.mark.parametrize(
    "line",
    [
        b'{"kind":"note","text":"\xff\xfe"}',
        b'{"kind":"note","x":' + DEEP + b"}",
        b'{"kind":"progress","stage":"a","done":1e400}',
        b'{"kind":"progress","stage":"a","n":' + b"9" * 5000 + b"}",
    ],
    ids=["no utf-8", "deep", "too large", "digits"],
)
def test_a_damaged_event_is_passed_over(tmp_path: Path, line: bytes) -> None:
    (tmp_path / "events.jsonl").write_bytes(
        b'{"kind":"note","n":1}\n' + line + b'\n{"kind":"run-ended","n":2,"state":"done"}\n'
    )
    assert [event.n for event in RunDir(tmp_path).events()] == [1, 2]
    assert events.decode(line) is None


def test_a_pipe_in_a_run_folder_is_not_waited_at(tmp_path: Path) -> None:
    for name in ("result.json", "events.jsonl", "run.toml", "log.txt"):
        os.mkfifo(tmp_path / name)
    run = RunDir(tmp_path)
    assert (run.result(), run.events(), run.last_events(), run.waited_s(), run.log_end(9)) == (None, [], [], 0.0, "")
    assert ticket(tmp_path) == 0


@pytest.mark.parametrize(
    "content", [b"\xff\xfe", b'{"run":"\xff","state":"done","summary":"\xff"}', b'{"run":"a","x":' + DEEP, b""]
)
def test_a_damaged_document_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "result.json").write_bytes(content)
    assert RunDir(tmp_path).result() is None
    folder = tmp_path / "cache" / "key"
    folder.mkdir(parents=True)
    (folder / "outcome.json").write_bytes(content)
    assert StageCache(tmp_path).whole("key") is None


@pytest.mark.parametrize("content", [b"a = " + DEEP[:20_000], b"a = " + b"9" * 10_000, b'a = "\xff"'])
def test_toml_made_to_harm_is_refused_in_words(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "x.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigRefused, match="not valid TOML"):
        read_toml(file, ConfigRefused)
    with pytest.raises(DataRefused, match="not valid TOML"):
        read_dataset(str(file), {})


def _reason(path: Path) -> str:
    return spreads([SampleSet(label="a", run="r", side="baseline", path=str(path))]).columns[0].reason


def test_latencies_that_cannot_be_read_have_a_reason(tmp_path: Path) -> None:
    file = tmp_path / "latencies.npz"
    file.write_bytes(b"")
    assert "EOFError" in _reason(file)
    np.savez_compressed(file, baseline_ns=np.random.default_rng(0).integers(0, 10**6, 5000))
    data = bytearray(file.read_bytes())
    data[2000:2100] = b"\xff" * 100
    file.write_bytes(data)
    assert "cannot be read" in _reason(file)
    np.savez(file, baseline_ns=np.array([np.nan, 1.0]))
    assert "holds a value that is not a time" in _reason(file)
    np.save(tmp_path / "one.npy", np.arange(5))
    assert "cannot be read" in _reason(tmp_path / "one.npy")


def test_labels_that_cannot_be_unpacked_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "d.npz"
    labels = np.random.default_rng(0).integers(0, 1000, 4000)
    np.savez_compressed(file, x=np.zeros((4000, 2), np.float32), labels=labels)
    data = bytearray(file.read_bytes())
    middle = data.index(b"labels.npy") + 2000
    data[middle : middle + 100] = b"\xff" * 100
    file.write_bytes(data)
    inputs = [TensorFacts(name="x", dtype="float", shape=(1, 2))]
    with pytest.raises(DataRefused, match=r"`labels` of .* is damaged"):
        open_arrays(file, inputs, {"x": (1, 2)}, {}, labels="classes", say=NullReporter())


def test_an_encrypted_archive_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "d.npz"
    np.savez(file, x=np.zeros((4, 2), np.float32))
    data = bytearray(file.read_bytes())
    data[6] |= 1  # the flag, in the local header and in the directory
    data[data.index(b"PK\x01\x02") + 8] |= 1
    file.write_bytes(data)
    with pytest.raises(DataRefused, match=r"not an \.npz"):
        open_arrays(file, [TensorFacts(name="x", dtype="float")], {"x": (1, 2)}, {}, labels="", say=NullReporter())
