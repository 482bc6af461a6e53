"""Whether what a run was asked about is still what it was: between asking and doing, files are exchanged.

Two ask: whoever takes a run up again, and the supervisor, when its turn comes late and when the files have been read. What
the stages make is kept by the hashes of the asking; made from other files, it would be found by every later run.
"""

from __future__ import annotations

from pathlib import Path

from ..data.fingerprint import fingerprint, samples_alone
from ..errors import DataRefused, ModelRefused
from ..library.models import model_hash
from ..schema.spec import RunRequest, RunSpec

_AGAIN = "start a new run with `edgetui run`"


def data_hashes(spec: RunSpec) -> tuple[str, str]:
    """Of the dataset and of the calibration data; empty where there are none.

    Raises:
        DataRefused: they cannot be read.
    """
    hashes = [fingerprint(data) if data else "" for data in (spec.dataset, spec.calibration)]
    return hashes[0], hashes[1]


def samples_hash(spec: RunSpec) -> str:
    """Of the files that outputs are compared on; empty where there are none.

    Raises:
        DataRefused: they cannot be read.
    """
    data = spec.dataset or spec.calibration
    return samples_alone(data) if data is not None else ""


def file_hashes(spec: RunSpec) -> dict[str, str]:
    """Of the files that steps of the recipe read besides, by path.

    Raises:
        ModelRefused: one cannot be read.
    """
    return {file: model_hash(Path(file)) for step in spec.recipe.active for file in step.files}


def refuse_changed(asked: RunRequest) -> None:
    """Refuse to go on with other files.

    Raises:
        ModelRefused: the model has changed, or cannot be read.
        DataRefused: the data have changed, or cannot be read.
    """
    refuse_changed_model(asked)
    refuse_changed_data(asked)


def refuse_changed_model(asked: RunRequest) -> None:
    """Refuse another model, or another file that a step reads.

    Raises:
        ModelRefused: it has changed, or cannot be read.
    """
    for file, now in file_hashes(asked.spec).items():
        if asked.file_hashes and now != asked.file_hashes.get(file):
            raise ModelRefused(f"{file} has changed since run {asked.run}", fix=_AGAIN)
    if model_hash(Path(asked.spec.model)) != asked.model_sha256:
        raise ModelRefused(f"{asked.spec.model} has changed since run {asked.run}", fix=_AGAIN)


def refuse_changed_data(asked: RunRequest) -> None:
    """Refuse other data.

    Raises:
        DataRefused: they have changed, or cannot be read.
    """
    spec = asked.spec
    for data, now, then in zip(
        (spec.dataset, spec.calibration), data_hashes(spec), (asked.dataset_hash, asked.calibration_hash), strict=True
    ):
        if data is not None and now != then:
            raise DataRefused(f"{data.path} has changed since run {asked.run}", fix=_AGAIN)
