"""What goes to the process that loads a plan alone comes out of it unchanged, and without what a run reads beside it."""

from __future__ import annotations

import subprocess
import sys

import msgspec
import numpy as np
from edgetui.engine.schema.settings import BackendSettings
from edgetui.engine.work.probe_process import Task, packed, unpacked


def test_arrays_of_every_kind_come_out_as_they_went_in() -> None:
    feeds = {
        "image": np.arange(24, dtype=np.float32).reshape(2, 3, 4)[:, ::-1],
        "half": np.array([1.5, np.inf], np.float16),
        "ids": np.array([[2**40, -1]], ">i8"),
        "mask": np.array([True, False]),
        "empty": np.zeros((0, 3), np.uint8),
        "scalar": np.array(3, np.int32),
        "texts": np.array([["fine", "日本語"], ["", "x"]], object),
    }
    task = Task(home="/", plan="p", settings=BackendSettings(), feeds=packed(feeds))
    back = unpacked(msgspec.msgpack.decode(msgspec.msgpack.encode(task), type=Task).feeds)
    assert list(back) == list(feeds)
    for name, array in feeds.items():
        assert (back[name].dtype, back[name].shape) == (array.dtype, array.shape)
        assert (back[name] == array).all()
        assert back[name].flags.writeable


def test_it_imports_no_data_and_no_run() -> None:
    code = "import sys, edgetui.engine.work.probe_process; print(*sorted(m for m in sys.modules if m.startswith('edgetui')))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not [
        name for name in loaded if name.startswith(("edgetui.engine.data", "edgetui.engine.runs", "edgetui.engine.graph"))
    ]
