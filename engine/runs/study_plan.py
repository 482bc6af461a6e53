"""From a study's file to what is asked: models, recipes and data that are here, runs in groups, what is left out and why.

Light: no model is opened. What only a run finds out is its own reason then.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from ..advice.forecast import refuse_without_packages, refuse_without_samples
from ..advice.metrics import METRICS
from ..advice.workload_needs import refuse_workload
from ..config import Config
from ..errors import ConfigRefused, EdgetuiError, ModelRefused, RecipeRefused, close_to, nearest
from ..library.datasets import read_dataset
from ..library.models import list_folder, model_hash
from ..library.recipes import find_recipe, recipe_names
from ..schema.settings import BackendName, BackendSettings, settings_with
from ..schema.spec import Dataset, RunSpec
from ..schema.steps import Recipe
from ..schema.study import LeftOut, Study, StudyExperiment, StudyGroup, StudyModel, StudyRequest, StudyVariant
from ..schema.workloads import parse_workload


class Here(NamedTuple):
    """A model that is here, with its data."""

    model: StudyModel
    path: Path
    dataset: Dataset | None
    calibration: Dataset | None


def plan_study(
    study: Study, config: Config, backend: BackendSettings, *, small: bool = False, elsewhere: bool = False
) -> StudyRequest:
    """What is asked by a study on this machine; `elsewhere`: on others, so that what runs need installed need not be here.

    Raises:
        ConfigRefused: it names a metric or a workload that there is not.
    """
    _refuse_metrics(study)
    here, missing, notes = _models_here([model for model in study.model if model.small or not small], config)
    groups: list[StudyGroup] = []
    left: list[LeftOut] = []
    hashes: dict[Path, str] = {}
    for experiment in study.experiment:
        for name in experiment.models or dict.fromkeys(model.name for model in study.model):
            wanted = _variants_of(study, experiment)
            if name not in here:
                why = missing.get(name, "--small has no model of that name")
                left += [LeftOut(experiment=experiment.name, model=name, variant=v.name, reason=why) for v in wanted]
                continue
            settings = backend if experiment.backend is None else _settings(experiment.backend, config)
            found = [_spec(here[name], experiment, each, config, settings, small=small, elsewhere=elsewhere) for each in wanted]
            specs = [(v.name, spec) for v, spec in zip(wanted, found, strict=True) if isinstance(spec, RunSpec)]
            left += [
                LeftOut(experiment=experiment.name, model=name, variant=v.name, reason=why)
                for v, why in zip(wanted, found, strict=True)
                if isinstance(why, str)
            ]
            if specs:
                path = here[name].path
                hashes[path] = hashes.get(path) or model_hash(path)
                groups += [
                    StudyGroup(
                        experiment=experiment.name,
                        model=name,
                        repeat=repeat,
                        variants=tuple(variant for variant, _ in specs),
                        specs=tuple(msgspec.structs.replace(spec, anew=repeat) for _, spec in specs),
                        model_sha256=hashes[path],
                    )
                    for repeat in range(experiment.repeats)
                ]
    return StudyRequest(
        study=study,
        small=small,
        groups=tuple(groups),
        left_out=tuple(left),
        models=tuple(each.model for each in here.values()),
        notes=tuple(notes),
    )


def _refuse_metrics(study: Study) -> None:
    known = [metric.key for metric in METRICS if metric.path]
    asked = [row.metric for row in study.row]
    asked += [metric for ranking in study.ranking for metric in ranking.metrics]
    asked += [metric for choice in study.choice for metric in choice.metrics]
    for key in asked:
        if key not in known:
            raise ConfigRefused(f"study {study.name}: there is no metric `{key}`", fix=nearest(key, known))


def _models_here(models: Sequence[StudyModel], config: Config) -> tuple[dict[str, Here], dict[str, str], list[str]]:
    """Of each name the first model that is here with its data; why there is none of a name; what stand-ins have to say."""
    found: dict[str, Here] = {}
    missing: dict[str, str] = {}
    notes: list[str] = []
    for model in models:
        if model.name in found:
            continue
        try:
            path = _model_path(model.file, config)
            dataset = read_dataset(model.dataset, config.datasets) if model.dataset else None
            calibration = read_dataset(model.calibration, config.datasets) if model.calibration else None
        except EdgetuiError as error:
            missing.setdefault(model.name, error.what)
            continue
        found[model.name] = Here(model, path, dataset, calibration)
        if model.name in missing:
            notes.append(f"{model.name}: {missing.pop(model.name)}; {path.name} stands for it")
        if model.lacks:
            notes.append(f"{model.name}: {model.lacks}")
    return found, missing, notes


def _model_path(text: str, config: Config) -> Path:
    path = Path(text)
    if path.is_file():
        return path.absolute()
    known = {Path(file.path).stem: file.path for name in config.models.folders for file in list_folder(name).models}
    if text.removesuffix(".onnx") in known:
        return Path(known[text.removesuffix(".onnx")])
    raise ModelRefused(f"{path.name} is not here", fix="check the path")


def _settings(name: BackendName, config: Config) -> BackendSettings:
    return settings_with(name, config.backend.of(name))


def _variants_of(study: Study, experiment: StudyExperiment) -> list[StudyVariant]:
    """Those that have a recipe: the baseline is measured beside each."""
    names = experiment.variants or tuple(variant.name for variant in study.variant)
    return [variant for variant in study.variant if variant.name in names and variant.recipe]


def trains(recipe: Recipe) -> bool:
    """Whether a step of it learns."""
    return any("torch" in step.packages for step in recipe.active)


def _spec(
    here: Here,
    experiment: StudyExperiment,
    variant: StudyVariant,
    config: Config,
    backend: BackendSettings,
    *,
    small: bool,
    elsewhere: bool,
) -> RunSpec | str:
    """The run of a variant on a model, or why there is none."""
    workload = parse_workload(experiment.workload)
    name = (small and variant.small) or variant.recipe
    try:
        recipe = find_recipe(name, config)
    except RecipeRefused as error:
        near = close_to(name, recipe_names(config))
        return f"{error.what}; did you mean `{near}`?" if near and near != name else error.what
    try:
        if small and trains(recipe):
            return f"{recipe.name} trains, and --small trains nothing"
        spec = RunSpec(
            model=str(here.path),
            recipe=recipe,
            backend=backend,
            dataset=here.dataset,
            calibration=here.calibration,
            workload=workload,
            preset="quick" if small else experiment.preset,
        )
        refuse_without_samples(spec)
        refuse_workload(spec)
        if not elsewhere:
            refuse_without_packages(spec)
    except EdgetuiError as error:
        return error.what
    return spec
