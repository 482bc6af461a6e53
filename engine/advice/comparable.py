"""Which runs can stand beside one baseline: same model, data, preprocessing, backend, workload and board.

`choose.py` chooses among runs that can; between others nothing can be chosen, and what differs is said.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec
from msgspec import Struct

from ..schema.model_facts import ModelFacts
from ..schema.result import Result
from ..schema.spec import Dataset, ImageInput, RunRequest
from . import words

WORDS = {
    "model": "model",
    "shapes": "shapes",
    "data": "data",
    "preprocessing": "preprocessing",
    "task": "task",
    "samples": "samples",
    "backend": "backend",
    "workload": "workload",
    "board": "board",
}
"""What must be the same, and what it is called."""
_OR = "\t"
"""Between things of which one must be equal."""
_WHOLE = ", whole pixels"
_BY_DEFAULT = re.compile(rf",? ?\bscale {ImageInput().scale:g}\b(?!\.)|{_WHOLE}")
_LABELLED = ("model", "data", "preprocessing", "shapes", "backend", "workload", "board")
"""What may stand behind a baseline's name, the most telling first."""


class BaselineGroup(NamedTuple):
    """Runs with one baseline, in the order given."""

    results: tuple[Result, ...]
    known: dict[str, str]
    """What is known of them, by the keys of WORDS: what must be equal, and behind a newline how people call it."""

    def says(self, key: str) -> str:
        """What they have there, for people."""
        return self.known.get(key, "").rpartition("\n")[2]


def conditions(asked: RunRequest, model: ModelFacts | None = None) -> dict[str, str]:
    """What was asked that a result's own stamps do not say, by the keys of WORDS. `model`: None where it was not looked into.

    `data_hash` and `samples_hash` tell data of one name apart; an older version knew the first alone, which other calibration
    or preprocessing changes too.
    """
    spec = asked.spec
    found = {"workload": _said(spec.workload, spec.workload.kind)}
    data = spec.dataset or spec.calibration
    if data is None:
        return {**found, "data": "none"}
    digest = asked.dataset_hash if spec.dataset is not None else asked.calibration_hash
    shared = spec.dataset is not None and spec.calibration is None and not spec.dataset.calibration
    return {
        **found,
        "data": data.name or data.path,
        "data_hash": digest or data.path,
        "samples_hash": asked.samples_hash,
        "preprocessing": _preprocessing(data, model),
        "task": _task(spec.dataset),
        "samples": (f"what calibration leaves, seed {spec.seed}" if shared else "all")
        + (f", half {spec.half}" * bool(spec.half)),
    }


def _preprocessing(data: Dataset, model: ModelFacts | None) -> str:
    """`color RGB scale 255 mean 0.485`: of images what pixels are divided by is told always."""
    how, plain = data.input, "as the model's input says"
    if data.kind in ("npz", "text"):
        return _said(how, plain)
    types = {tensor.dtype for tensor in model.inputs if how.name in ("", tensor.name)} if model is not None else set()
    if types == {"uint8"}:
        return f"{_said(how, plain)}{_WHOLE}"
    said = _said(how, "", always=("scale",))
    return f"{plain}, {said}" if how == ImageInput() else said


def _task(data: Dataset | None) -> str:
    """`detection of cell, plate read as yolov8`: what changes the figures of the same outputs."""
    if data is None:
        return "none"
    classes = f"of {', '.join(data.classes)}" if data.classes else ""
    return " ".join(filter(None, [data.task, classes, f"read as {data.decoder}" if data.decoder != "auto" else ""]))


def with_conditions(result: Result, asked: RunRequest) -> Result:
    """A result of a version that did not write them."""
    return result if result.conditions else msgspec.structs.replace(result, conditions=conditions(asked, result.model))


def groups(results: Sequence[Result]) -> tuple[BaselineGroup, ...]:
    """Runs by baseline. What a run does not say (it failed before that) divides nothing, but for its model."""
    found: list[tuple[list[Result], dict[str, str]]] = []
    for result in results:
        mine = _known(result)
        for members, known in found:
            same_model = _same(known.get("model", ""), mine.get("model", ""))
            if same_model and all(_same(known.get(key, value), value) for key, value in mine.items()):
                members.append(result)
                known.update({**mine, **known})
                break
        else:
            found.append(([result], mine))
    return tuple(BaselineGroup(tuple(members), known) for members, known in found)


def differences(found: Sequence[BaselineGroup]) -> dict[str, tuple[str, ...]]:
    """What the groups do not have in common: its word to what each has; empty for a single group."""
    different = {}
    for key, word in WORDS.items():
        if _differs(found, key):
            different[word] = tuple(_called(group, found, key) or words.DASH for group in found)
    if "data" in different:  # other data are other samples
        different.pop("samples", None)
        different.pop("task", None)
    return different


def names(found: Sequence[BaselineGroup]) -> tuple[str, ...]:
    """A few words for each group that tell it from the others; empty for a single group."""
    if len(found) < 2:
        return ("",)
    for several in range(1, len(_LABELLED) + 1):
        told = [" ".join(_telling(group, found)[:several]) for group in found]
        if len(set(told)) == len(told):
            return tuple(told)
    return tuple(" ".join(_telling(group, found)[:1]) for group in found)


def _same(one: str, other: str) -> bool:
    """Whether what must be equal is; of several that stand for it, one is enough."""
    return not set(_identities(one)).isdisjoint(_identities(other))


def _identities(value: str) -> list[str]:
    return value.partition("\n")[0].split(_OR)


def _telling(group: BaselineGroup, found: Sequence[BaselineGroup]) -> list[str]:
    return [said for key in _LABELLED if _differs(found, key) and (said := _called(group, found, key))]


def _differs(found: Sequence[BaselineGroup], key: str) -> bool:
    told = [group.known[key] for group in found if key in group.known]
    return not all(_same(told[0], each) for each in told)


def _called(group: BaselineGroup, found: Sequence[BaselineGroup], key: str) -> str:
    """What a group has there, for people; with the beginning of its hash where another calls other things the same."""
    said, mine = group.says(key), group.known.get(key, "")
    twins = any(other.says(key) == said and not _same(other.known.get(key, ""), mine) for other in found)
    return f"{said} ({_identities(mine)[0][:6]})" if said and twins else said


def _known(result: Result) -> dict[str, str]:
    """What a result says of itself; what it does not know is left out."""
    model, backend, board, data = result.model, result.backend, result.board, result.dataset
    stamps = {
        "model": f"{model.sha256}\n{model.name}" if model else "",
        "shapes": " ".join(f"{name}={'x'.join(map(str, shape))}" for name, shape in model.shapes.items()) if model else "",
        "data": data.name if data and not result.conditions else "",
        "backend": _backend(result) if backend.name else "",
        "workload": result.workload,
        "board": ", ".join(filter(None, [board.name or board.cpu, board.power_mode or "", _clocks(result)])),
    }
    asked = dict(result.conditions)
    hashes = [asked[key] for key in ("data_hash", "samples_hash") if asked.get(key)]
    if hashes:
        asked["data"] = f"{_OR.join(hashes)}\n{asked.get('data', '')}"
    if words_ := asked.get("preprocessing"):  # an earlier version did not tell what it had by default
        asked["preprocessing"] = f"{_BY_DEFAULT.sub('', words_).strip()}\n{words_}"
    found = {key: value for key, value in {**stamps, **asked}.items() if value and key in WORDS}
    if data is not None and data.evaluated is not None:
        found["samples"] = f"{data.evaluated} {found.get('samples', '')}\n{data.evaluated} samples"
    else:
        found.pop("samples", None)
    return found


def _clocks(result: Result) -> str:
    return f"clocks {result.board.clocks}" if result.board.clocks else ""


def _backend(result: Result) -> str:
    backend = result.backend
    said = [
        f"{backend.name} {backend.version}".rstrip(),
        f"{backend.threads} thread{'' if backend.threads == 1 else 's'}" if backend.threads else "",
        f"graph {backend.graph}" if backend.graph else "",
        backend.provider,
        f"{backend.mode} on {backend.device}" if backend.mode else "",
        "TF32" if backend.tf32 else "",
    ]
    return ", ".join(filter(None, said))


def _said(value: Struct, plain: str, always: Sequence[str] = ()) -> str:
    """The fields that are not at their defaults, and those of `always`, in words; `plain` where none is said."""
    told: Mapping[str, object] = {
        field.name: got
        for field in msgspec.structs.fields(type(value))
        if ((got := getattr(value, field.name)) != field.default or field.name in always) and got is not None
    }
    tag = value.__struct_config__.tag
    text = " ".join(f"{name} {_number(got)}" for name, got in told.items())
    return f"{tag} {text}" if tag and text else text or plain


def _number(value: object) -> str:
    """Numbers as short as they can be said: `0.485 0.456 0.406`, `256x128`."""
    if isinstance(value, tuple):
        return " ".join(_number(each) for each in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
