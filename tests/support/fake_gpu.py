"""Puts a fake TensorRT and a fake GPU where the adapter looks for them: in this process, or in those it starts."""

from __future__ import annotations

import ctypes
import json
import os
import sys
from pathlib import Path
from types import ModuleType

import fake_cuda_graphs
import fake_pycuda
import fake_tensorrt
import pytest

SUPPORT = Path(__file__).parent
MODULES = ("tensorrt", "tensorrt_rtx", "tensorrt_rtx_bindings")


class Fakes:
    def __init__(self, api: ModuleType, driver: ModuleType) -> None:
        self.api, self.driver = api, driver

    def asked(self, kind: str) -> list[tuple]:
        return [entry[1:] for entry in self.api.asked if entry[0] == kind]

    def left(self) -> dict[str, int]:
        """What was taken and not given back."""
        import gc

        gc.collect()
        counts = {**self.api.alive, **self.driver.taken}
        return {name: count for name, count in counts.items() if count}


def here(monkeypatch: pytest.MonkeyPatch, generation: str, **gpu: object) -> Fakes:
    """In this process."""
    fakes = Fakes(fake_tensorrt.make(generation), fake_pycuda.make(**gpu))
    package = ModuleType("pycuda")
    package.__path__ = []
    for module in MODULES:  # no real one may be found beside the fake
        monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setitem(sys.modules, fake_tensorrt.AS.get(generation, "tensorrt"), fakes.api)
    monkeypatch.setitem(sys.modules, "pycuda", package)
    monkeypatch.setitem(sys.modules, "pycuda.driver", fakes.driver)
    monkeypatch.setattr(ctypes, "CDLL", fake_cuda_graphs.loading(fakes.driver))
    return fakes


def elsewhere(monkeypatch: pytest.MonkeyPatch, folder: Path, generation: str, **trouble: object) -> None:
    """In processes that are started from here on."""
    module = fake_tensorrt.AS.get(generation, "tensorrt")
    (folder / module).mkdir(parents=True)
    (folder / module / "__init__.py").write_text(
        "import json, os\nimport fake_tensorrt\n"
        "made = fake_tensorrt.make(os.environ['FAKE_TENSORRT'])\n"
        "made.trouble.update(json.loads(os.environ['FAKE_TROUBLE']))\n"
        "globals().update({key: value for key, value in vars(made).items() if key != '__name__'})\n"
    )
    (folder / "pycuda").mkdir()
    (folder / "pycuda" / "__init__.py").write_text("")
    (folder / "pycuda" / "driver.py").write_text(
        "import ctypes, fake_cuda_graphs, fake_pycuda\n"
        "made = fake_pycuda.make()\n"
        "ctypes.CDLL = fake_cuda_graphs.loading(made)\n"
        "globals().update(vars(made))\n"
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), str(SUPPORT)]))
    monkeypatch.setenv("FAKE_TENSORRT", generation)
    monkeypatch.setenv("FAKE_TROUBLE", json.dumps(trouble))
