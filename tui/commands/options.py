"""The options that say what shall be run, and how they become a RunSpec."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast, get_args

import click
import msgspec

from ...engine.config import typed_path, what_is
from ...engine.errors import ModelRefused, UsageError, nearest
from ...engine.library.torch_models import module_named
from ...engine.schema.settings import BackendName, BackendSettings, Preset, owners, settings_with
from ...engine.schema.spec import RunSpec, parse_shape
from ...engine.schema.steps import Recipe
from ...engine.schema.workloads import WORKLOADS, parse_workload
from .completion import board_names, dataset_names, recipe_names, workload_names

if TYPE_CHECKING:
    from ...engine.api import Engine

_HEEDED_BY_SOME = {"threads", "trust"}
"""Flags that other backends than those that have the setting pass over."""
F = TypeVar("F", bound=Callable[..., Any])

shape_option = click.option(
    "--shape", "shapes", multiple=True, metavar="NAME=1x3x224x224", help="Shape of an input with open axes; may be repeated."
)
trust_option = click.option("--trust", is_flag=True, help="Load a TensorRT plan that edgetui did not build.")
threads_option = click.option(
    "--threads", type=click.IntRange(0, 1024), help="Threads of the backend; 0: one for each physical core."
)
backend_option = click.option("--backend", type=click.Choice(get_args(BackendName)), help="What executes the model.")
mode_option = click.option(
    "--mode", type=click.Choice(("eager", "compiled")), help="Backend torch: operator by operator, or by torch.compile."
)
device_option = click.option("--device", type=click.Choice(("auto", "cpu", "cuda")), help="Backend torch: where it computes.")
preset_option = click.option(
    "--preset", type=click.Choice(get_args(Preset)), help="How sure: 10 % (quick), 5 % (normal), 1 % (precise) at 95 %."
)
workload_option = click.option(
    "--workload",
    default="flat-out",
    metavar="|".join(f"{name}[:{kind.number_word}]" if kind.number else name for name, kind in WORKLOADS.items()),
    shell_complete=workload_names,
    help="How inferences are issued.",
    show_default=True,
)
guard_option = click.option("--no-guard", is_flag=True, help="Do not measure INT8 beside FP16, where the hardware has that.")
per_input_option = click.option(
    "--per-input",
    type=click.IntRange(0, 256),
    default=0,
    metavar="N",
    help="Time N samples one by one as well, each until its own 95 % interval is under 5 %.",
)
on_option = click.option(
    "--on",
    metavar="BOARD,...",
    shell_complete=board_names,
    help="On boards of the fleet, each for itself; a RESOURCE is one board that has it.",
)
train_on_option = click.option(
    "--train-on",
    metavar="BOARD",
    shell_complete=board_names,
    help="What learns is trained there once (localhost: on this machine), and measured here, or on the boards of --on.",
)
calibration_option = click.option(
    "--calibration", shell_complete=dataset_names, metavar="D", help="Samples to calibrate with; without it those of --dataset."
)


def refuse_beside(other: str, **flags: bool) -> None:
    """Refuse flags that mean nothing beside another one.

    Raises:
        UsageError: one is given.
    """
    for name, given in flags.items():
        if given:
            flag = name.replace("_", "-")
            raise UsageError(f"--{flag} is not for --{other}", fix="leave it out; asked again, what boards have begun is found")


def data_options(function: F) -> F:
    """--dataset and --calibration."""
    function = calibration_option(function)
    return click.option(
        "--dataset",
        shell_complete=dataset_names,
        metavar="D",
        help="Samples to evaluate on: a name from edgetui.toml, a folder or zip of class folders or annotated images, an .npz, "
        "a .tsv of texts, or a .toml.",
    )(function)


def backend_options(function: F) -> F:
    """--backend, and how it executes."""
    for option in (threads_option, device_option, mode_option, backend_option):
        function = option(function)
    return function


def run_options(function: F) -> F:
    """Everything that `run` takes beside the model."""
    for option in (shape_option, preset_option, per_input_option, workload_option, guard_option):
        function = option(function)
    function = data_options(backend_options(function))
    return click.option(
        "--recipe",
        "-r",
        "recipes",
        multiple=True,
        shell_complete=recipe_names,
        metavar="R",
        help="A recipe: a name that `edgetui recipes` lists, or a file. Several are measured in turns with one baseline.",
    )(function)


def find_model(engine: Engine, text: str) -> Path:
    """A model by path, or by its name in edgetui.toml: in a model folder, or of a factory. A PyTorch module is exported first.

    Raises:
        ModelRefused: there is none, or it cannot be exported.
    """
    path = typed_path(text).absolute()
    module = module_named(text, path, engine.config)
    if module is not None:
        return asyncio.run(engine.as_onnx(path.stem if isinstance(module, Path) else text, module))
    if path.is_file():
        return path
    if (kind := what_is(path)) != "not there":
        raise ModelRefused(f"{text} is {kind}", fix="name an .onnx file" + (" in it" if path.is_dir() else ""))
    known: dict[str, str] = {Path(file.path).stem: file.path for folder in engine.models() for file in folder.models}
    if os.sep not in text and text.removesuffix(".onnx") in known:
        return Path(known[text.removesuffix(".onnx")])
    names = [*known, *engine.config.factories]
    hint = f"; {nearest(text, names)}" if names else ""
    raise ModelRefused(f"there is no model {text}", fix=f"check the path{hint}")


def backend_settings(
    engine: Engine,
    name: str | None,
    threads: int | None,
    mode: str | None = None,
    device: str | None = None,
    target: str = "",
    trust: bool = False,
) -> BackendSettings:
    """The backend of the flags, over that of edgetui.toml.

    Raises:
        UsageError: `target` is not a valid GPU target, or a flag is another backend's business.
    """
    chosen = cast("BackendName", name or engine.config.defaults.backend)
    table = engine.config.backend.of(chosen)
    given = {"threads": threads, "mode": mode, "device": device, "target": target or None, "trust": trust or None}
    changes = {key: value for key, value in given.items() if value is not None}
    for key in changes:
        if key not in table.__struct_fields__ and key not in _HEEDED_BY_SOME:
            owner = owners(key)[0]
            raise UsageError(f"--{key} is for the backend {owner}", fix=f"add --backend {owner}")
    if target and not re.fullmatch(r"sm_\d{2,3}", target):
        raise UsageError(f"`{target}` is not a valid GPU target", fix="write its compute capability, e.g. --target sm_86")
    changes = {key: value for key, value in changes.items() if key in table.__struct_fields__}
    return settings_with(chosen, msgspec.structs.replace(table, **changes))


def make_spec(
    engine: Engine,
    model: str,
    *,
    recipe: str | Recipe | None,
    backend: str | None,
    dataset: str | None,
    calibration: str | None,
    workload: str,
    preset: str | None,
    shapes: Sequence[str],
    threads: int | None,
    mode: str | None = None,
    device: str | None = None,
    target: str = "",
    per_input: int = 0,
    measure: bool = True,
    no_guard: bool = False,
) -> RunSpec:
    """What the flags ask, with the defaults of edgetui.toml below them.

    Raises:
        EdgetuiError: a model, recipe or dataset is missing or not valid, or a flag's value is not.
    """
    from ...engine.library.recipes import find_recipe

    config = engine.config
    data = dataset if dataset is not None else config.defaults.dataset
    return RunSpec(
        model=str(find_model(engine, model)),
        recipe=recipe if isinstance(recipe, Recipe) else find_recipe(recipe or config.defaults.recipe, config),
        backend=backend_settings(engine, backend, threads, mode, device, target),
        dataset=engine.dataset(data) if data else None,
        calibration=engine.dataset(calibration) if calibration else None,
        workload=parse_workload(workload),
        preset=cast("Preset", preset or config.defaults.preset),
        shapes=dict(parse_shape(text) for text in shapes),
        per_input=per_input,
        measure=measure,
        guard=not no_guard,
    )
