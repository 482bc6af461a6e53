"""Studies as files: find one by name or path, read it with errors that help.

A user's file may say `like = "qin2018"` and bring `models` of its own: rows, variants and experiments are those of the other.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec

from ..config import PACKAGE, config_home, read_toml, refuse_nul, typed_path, what_is
from ..errors import ConfigRefused, few_of, nearest
from ..schema.converted import converted
from ..schema.study import Study, StudyExperiment, StudyModel, StudyRow

PACKAGED_STUDIES = PACKAGE / "profiles" / "studies"
_OWN_KEYS = ("like", "models", "dataset", "calibration", "weights")
"""Keys of a file that brings models to another's rows."""


def find_study(name: str, _behind: tuple[Path, ...] = ()) -> Study:
    """Read the study that a path names, or one by name: the user's folder first, then those that ship.

    Raises:
        ConfigRefused: there is none, or it cannot be read.
    """
    path = typed_path(name)
    if path.suffix == ".toml" or os.sep in name:
        if not path.is_file():
            kind = what_is(path)
            what = f"there is no study file {path}" if kind == "not there" else f"{path} is {kind}"
            raise ConfigRefused(what, fix=f"check the path, or give a name: {few_of(study_names())}")
        return read_study(path.absolute(), _behind)
    for folder in _study_folders():
        if (folder / f"{name}.toml").is_file():
            return read_study(folder / f"{name}.toml", _behind)
    raise ConfigRefused(f"there is no study `{name}`", fix=nearest(name, study_names()))


def study_names() -> tuple[str, ...]:
    """Names of all studies, sorted; the user's own hide those that ship."""
    return tuple(sorted({path.stem for folder in _study_folders() for path in folder.glob("*.toml")}))


def list_studies() -> tuple[Study, ...]:
    """All studies that can be read, by name; `broken_studies` tells of the others."""
    return tuple(found for name in study_names() if isinstance(found := _attempt(name), Study))


def broken_studies() -> tuple[str, ...]:
    """A sentence for each study that cannot be read."""
    return tuple(str(found) for name in study_names() if isinstance(found := _attempt(name), ConfigRefused))


def _attempt(name: str) -> Study | ConfigRefused:
    try:
        return find_study(name)
    except ConfigRefused as error:
        return error


def _study_folders() -> tuple[Path, ...]:
    return (config_home() / "studies", PACKAGED_STUDIES)


def read_study(path: Path, _behind: tuple[Path, ...] = ()) -> Study:
    """Read a study's file; paths in it begin at its folder. `_behind`: files that are like this one, the asked one first.

    Raises:
        ConfigRefused: no TOML, an unknown key, a value that is not valid, a name in it that nothing has.
    """
    data = read_toml(path, ConfigRefused)
    refuse_nul(data, path, ConfigRefused)
    study = _like(data, path, _behind) if "like" in data else converted({**data, "name": path.stem}, Study, path, ConfigRefused)
    study = msgspec.structs.replace(study, model=tuple(_anchored_model(each, path.parent) for each in study.model))
    variants = tuple(
        msgspec.structs.replace(each, recipe=_anchored(each.recipe, path.parent), small=_anchored(each.small, path.parent))
        for each in study.variant
    )
    study = msgspec.structs.replace(study, variant=variants)
    _refuse_unnamed(study, path)
    return study


def _like(data: dict[str, Any], path: Path, behind: tuple[Path, ...]) -> Study:
    """Another study's rows, with models of this file: `models = [...]` beside one `dataset`, or `[[model]]` tables."""
    name, models = data["like"], data.get("models", [])
    if not isinstance(name, str):
        raise ConfigRefused(f"{path}: `like` is no text", fix='write the name of a study, e.g. like = "qin2018"')
    if (PACKAGED_STUDIES / f"{path.stem}.toml").is_file() and name == path.stem:
        base = read_study(PACKAGED_STUDIES / f"{name}.toml")
    elif name == path.stem or path.resolve() in behind:
        through = f", through {behind[-1].name}" if behind else ""
        raise ConfigRefused(f"{path} is like itself{through}", fix="give another study in `like`")
    else:
        base = find_study(_anchored(name, path.parent), (*behind, path.resolve()))
    if not isinstance(models, list) or not all(isinstance(each, str) and each for each in models):
        raise ConfigRefused(f"{path}: `models` is not a list of paths", fix='write models = ["resnet50.onnx", ...]')
    rest = {key: value for key, value in data.items() if key not in _OWN_KEYS}
    own = converted({"title": base.title, **rest, "name": path.stem}, Study, path, ConfigRefused)
    said = {key: data[key] for key in ("dataset", "calibration", "weights") if key in data}
    tables = [{"weights": "yours", **said, "name": Path(each).stem, "file": each} for each in models]
    brought = tuple(converted(table, StudyModel, path, ConfigRefused) for table in tables)
    changes = {
        field: value
        for field in ("title", "paper", "board", "variant", "row", "ranking", "choice", "notes", "experiment")
        if (value := getattr(own, field))
    }
    study = msgspec.structs.replace(base, **changes, name=path.stem)
    if not (brought or own.model):
        return study
    return msgspec.structs.replace(
        study,
        model=(*brought, *own.model),
        experiment=own.experiment or tuple(msgspec.structs.replace(each, models=()) for each in study.experiment),
        row=own.row or _of_every_model(study.row),
    )


def _of_every_model(rows: tuple[StudyRow, ...]) -> tuple[StudyRow, ...]:
    """Rows about one of the paper's models, each once, about every model; the paper's figures are of others then."""
    found = (msgspec.structs.replace(row, model="", paper={}) if row.model else row for row in rows)
    return tuple({(row.figure, row.experiment, row.metric, row.show): row for row in found}.values())


def _anchored(text: str, folder: Path) -> str:
    """A path of the file's own as an absolute one; names are left."""
    return str((folder / typed_path(text)).resolve()) if text.endswith(".toml") or os.sep in text else text


def _anchored_model(model: StudyModel, folder: Path) -> StudyModel:
    changes = {
        field: str((folder / typed_path(text)).resolve())
        for field in ("file", "dataset", "calibration")
        if (text := getattr(model, field)) and (os.sep in text or (folder / typed_path(text)).exists())
    }
    return msgspec.structs.replace(model, **changes)


def _refuse_unnamed(study: Study, path: Path) -> None:
    """Refuse a name that nothing in the study has: a row of it would stay empty for ever."""
    models = {model.name for model in study.model}
    variants = {variant.name for variant in study.variant}
    experiments = {experiment.name for experiment in study.experiment}
    _refuse_twice(path, "variant", [variant.name for variant in study.variant])
    _refuse_twice(path, "experiment", [experiment.name for experiment in study.experiment])
    used = [("experiment", row.experiment, experiments) for row in study.row]
    used += [("experiment", ranking.experiment, experiments) for ranking in study.ranking]
    used += [("experiment", choice.experiment, experiments) for choice in study.choice]
    used += [("experiment", row.over, experiments) for row in study.row if row.over]
    used += [("model", row.model, models) for row in study.row if row.model]
    used += [("variant", name, variants) for row in study.row for name in row.paper]
    used += [("variant", name, variants) for choice in study.choice for name in choice.rule.values()]
    used += [("model", name, models) for each in study.experiment for name in each.models]
    used += [("variant", name, variants) for each in study.experiment for name in each.variants]
    for kind, name, known in used:
        if name not in known:
            raise ConfigRefused(f"{path}: there is no {kind} `{name}`", fix=nearest(name, known))
    if not (study.model and study.experiment and any(variant.recipe for variant in study.variant)):
        raise ConfigRefused(f"{path} has nothing to run", fix="give it [[model]], [[variant]] with a recipe and [[experiment]]")


def _refuse_twice(path: Path, kind: str, names: list[str]) -> None:
    for name in names:
        if names.count(name) > 1:
            raise ConfigRefused(f"{path}: two of its {kind}s are called `{name}`", fix="give each a name of its own")


def experiment_of(study: Study, name: str) -> StudyExperiment:
    """The experiment of that name, which the study has."""
    return next(each for each in study.experiment if each.name == name)
