"""Real runs of the demo's model in processes of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from edgetui.engine.api import Engine
from edgetui.engine.config import PACKAGE, Config
from edgetui.engine.library.datasets import read_dataset
from edgetui.engine.schema.settings import BackendSettings
from edgetui.engine.schema.spec import RunSpec
from edgetui.engine.schema.steps import PruneMagnitude, QuantizeInt8, Recipe
from fleets import LoopbackFleet, needs_fleet
from live_runs import end_all

DEMO = PACKAGE / "profiles" / "demo"


@pytest.fixture
def engine(own_state: Path) -> Iterator[Engine]:
    made = Engine(Config(), own_state)
    yield made
    end_all(own_state)


@pytest.fixture
def spec() -> RunSpec:
    """Prune and quantize the digits network, labelled data, the quick preset."""
    return RunSpec(
        model=str(DEMO / "digits.onnx"),
        recipe=Recipe(name="both", step=(PruneMagnitude(amount=0.3), QuantizeInt8(samples=64))),
        dataset=read_dataset(str(DEMO / "digits.toml"), {}),
        backend=BackendSettings(threads=1),
        preset="quick",
    )


@pytest.fixture
def light(spec: RunSpec) -> RunSpec:
    """The same without measuring."""
    return msgspec.structs.replace(spec, measure=False)


@pytest.fixture
def fleet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackFleet]:
    """Boards of this machine, none at first."""
    needs_fleet()
    made = LoopbackFleet(tmp_path, monkeypatch)
    yield made
    made.close()
