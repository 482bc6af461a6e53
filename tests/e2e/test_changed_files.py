"""Files that change between a run's begin and its end: data, models and labels, each found out and said."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import onnx
import pytest
from edgetui.engine.api import Engine
from edgetui.engine.errors import DataRefused, EdgetuiError
from edgetui.engine.runs.folder import RunDir
from edgetui.engine.schema.spec import Dataset, RunSpec
from edgetui.engine.schema.steps import PruneMagnitude, Recipe
from live_runs import ended, until_stage
from measuring import short_elsewhere


@pytest.fixture
def own_data(light: RunSpec, tmp_path: Path) -> tuple[RunSpec, Path]:
    """The light run on a copy of its data, and where that lies."""
    assert light.dataset is not None
    copy = tmp_path / Path(light.dataset.path).name
    shutil.copy(light.dataset.path, copy)
    return msgspec.structs.replace(light, dataset=msgspec.structs.replace(light.dataset, path=str(copy))), copy


async def test_a_run_is_not_taken_up_again_with_other_data(engine: Engine, own_data: tuple[RunSpec, Path]) -> None:
    spec, copy = own_data
    run = await engine.submit(spec)
    await until_stage(engine, run, "inspect")
    await engine.cancel(run)
    os.truncate(copy, copy.stat().st_size - 1)
    with pytest.raises(DataRefused, match="has changed since"):
        await engine.resume(run)


async def test_a_model_exchanged_as_a_run_begins_is_not_kept_under_the_name_of_the_first(
    engine: Engine, light: RunSpec, tmp_path: Path
) -> None:
    copy = tmp_path / "m.onnx"
    shutil.copy(light.model, copy)
    spec = msgspec.structs.replace(light, model=str(copy))

    def write(specs: Sequence[RunSpec], others: Sequence[str] = ()) -> list[RunDir]:
        folders = written(specs, others)
        shutil.copy(other, copy)
        return folders

    written, other = engine._write, tmp_path / "other.onnx"
    changed = onnx.load(light.model)
    changed.producer_name = "another"
    onnx.save(changed, other)
    engine._write = write  # type: ignore[method-assign]  (there is no other way in between)
    run = await engine.submit(spec)
    await ended(engine, run)
    result = await engine.result(run)
    assert result.error is not None
    assert "has changed since" in result.error.what
    assert not [path for path in (engine.home / "cache").iterdir() if path.is_dir()]


@pytest.mark.long
async def test_data_exchanged_while_a_run_works_are_found_at_its_end(
    engine: Engine, spec: RunSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    short_elsewhere(monkeypatch)
    assert spec.dataset is not None
    copy = tmp_path / Path(spec.dataset.path).name
    shutil.copy(spec.dataset.path, copy)
    spec = msgspec.structs.replace(spec, dataset=msgspec.structs.replace(spec.dataset, path=str(copy)))
    run = await engine.submit(spec)
    await until_stage(engine, run, "verify")
    beside = copy.with_name("new.npz")
    np.savez(beside, **{name: array[::-1] for name, array in np.load(copy).items()})
    beside.replace(copy)
    await ended(engine, run)
    result = await engine.result(run)
    assert result.state == "failed"
    assert result.error is not None
    assert "has changed since" in result.error.what


@pytest.mark.long
async def test_data_exchanged_while_a_run_waits_do_not_get_into_the_cache(
    engine: Engine, light: RunSpec, own_data: tuple[RunSpec, Path]
) -> None:
    spec, copy = own_data
    first = await engine.submit(light)
    await until_stage(engine, first, "inspect")
    waiting = await engine.submit(spec)
    os.truncate(copy, copy.stat().st_size - 1)
    await ended(engine, waiting)
    result = await engine.result(waiting)
    assert result.state == "failed"
    assert result.error is not None
    assert "has changed since" in result.error.what


async def test_labels_that_do_not_fit_are_refused_before_anything_is_measured(
    engine: Engine, spec: RunSpec, tmp_path: Path
) -> None:
    file = tmp_path / "data.npz"
    np.savez(file, image=np.random.default_rng(0).random((8, 1, 8, 8), np.float32), labels=np.arange(3, 11))
    recipe = Recipe(step=(PruneMagnitude(amount=0.3),))
    asked = msgspec.structs.replace(spec, dataset=Dataset(kind="npz", path=str(file)), recipe=recipe)
    with pytest.raises(EdgetuiError, match="11 classes and the model has 10 output classes"):
        await engine.submit(asked)
    silent = onnx.load(spec.model)  # its file does not say how many classes there are: only a run can tell
    silent.graph.output[0].type.tensor_type.shape.dim[1].dim_param = "classes"
    onnx.save(silent, tmp_path / "silent.onnx")
    run = await engine.submit(msgspec.structs.replace(asked, model=str(tmp_path / "silent.onnx")))
    await ended(engine, run)
    failure = (await engine.result(run)).error
    assert failure is not None
    assert failure.stage == "verify"
    assert "11 classes and the model has 10 output classes" in failure.what
