"""The stages of a run: their names, their order and the keys of their outputs in the cache. Light: nothing is computed here.

A key is a hash of what goes in, the settings, and the versions that matter; equal keys mean equal outputs.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import Struct

from ..backends.card import Card
from ..backends.cards import CARDS
from ..schema.settings import BackendSettings
from ..schema.spec import RunRequest, RunSpec, TrainedElsewhere
from ..schema.steps import STEPS, PrecisionFp16, Recipe
from ..system import tensorrt_here
from ..system.cpu import read_processor
from ..system.hashing import short_hash

KEYS = 2
"""How keys of new runs are made (`RunRequest.keys`)."""
FORMAT = 4
"""Raised when the meaning of a stage's output changes."""
_HALVES = 2
"""Raised when halves of samples are others: runs that judge on all keep their keys."""
PACKAGES = ("edgetui", "numpy", "onnx", "onnxruntime", "onnxscript", "pillow")
OF_BACKENDS = tuple(dict.fromkeys(package for card in CARDS.values() for package in card.packages))
"""What plans of one backend are tied to, and nothing else is."""
OF_STEPS = tuple(dict.fromkeys(package for kind in STEPS.values() for package in kind.packages))
"""What steps that import more are tied to, each to its own."""

OF_DETECTION = "pycocotools"
"""What boxes are matched with: evaluation alone is tied to it."""


MEASURING = {"measure", "inputs", "energy"}


class Stage(Struct, frozen=True, kw_only=True):
    """One stage of a run."""

    name: str
    kind: str
    """inspect, normalise, step, lower, build, verify, measure, inputs, evaluate or energy."""
    key: str
    step: int = -1
    """Place in the recipe's active steps, for kind `step`."""
    guard: bool = False
    """It makes the guard, not the candidate."""

    def artifact(self, word: str, name: str) -> tuple[str, str]:
        """What a file that it leaves is called in the result, and in the run's folder."""
        return (f"guard_{word}", f"guard-{name}") if self.guard else (word, name)

    @property
    def measures(self) -> bool:
        """What else works on the board is in its figures."""
        return self.kind in MEASURING


def versions() -> dict[str, str]:
    """Package versions that outputs depend on, from the installed metadata."""
    from importlib import metadata  # with what it imports 1.3 MB

    found = {}
    for name in dict.fromkeys((*PACKAGES, *OF_BACKENDS, *OF_STEPS, OF_DETECTION)):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "none"
    return found


def stage_names(spec: RunSpec) -> list[tuple[str, str, int]]:
    """(name, kind, place in the recipe) in order. A method that occurs again gets a number."""
    found = [("inspect", "inspect", -1), ("normalise", "normalise", -1)]
    seen: dict[str, int] = {}
    steps = spec.recipe.active[: spec.recipe.last_learning + 1] if spec.only_train else spec.recipe.active
    for place, step in enumerate(steps):
        seen[step.method] = seen.get(step.method, 0) + 1
        again = seen[step.method]
        found.append((step.method if again == 1 else f"{step.method}#{again}", "step", place))
    if spec.only_train:
        return found
    found += [("lower", "lower", -1), ("build", "build", -1)]
    if spec.backend.target:
        return found
    found.append(("verify", "verify", -1))
    if spec.half:
        found.append(("evaluate", "evaluate", -1))
    elif spec.measure:
        found.append(("measure", "measure", -1))
        if spec.per_input:
            found.append(("inputs", "inputs", -1))
        if spec.dataset or spec.calibration:
            found.append(("evaluate", "evaluate", -1))
        found.append(("energy", "energy", -1))
    return found


def guarding(asked: RunRequest) -> RunRequest:
    """The request whose candidate is the guard of this one: FP16 of the same model."""
    plain = msgspec.structs.replace(asked.spec, recipe=GUARD, candidate=None, trained=_normalised(asked.spec))
    return msgspec.structs.replace(asked, guard="", spec=plain)


def _normalised(spec: RunSpec) -> TrainedElsewhere | None:
    """Of what another machine has made, what does not follow from the recipe."""
    if spec.trained is None:
        return None
    keys = {name: key for name, key in spec.trained.keys.items() if name == "normalise"}
    return msgspec.structs.replace(spec.trained, keys=keys)


def guard_stages(asked: RunRequest) -> list[Stage]:
    """The stages of that request; what was found in the model is the same for both."""
    looked = [stage for stage in _planned(asked) if stage.kind == "inspect"]
    return [*looked, *(stage for stage in _planned(guarding(asked)) if stage.kind != "inspect")]


def plan_stages(asked: RunRequest) -> tuple[Stage, ...]:
    """All stages with their keys; each key holds the one before it. Those of the guard have the keys of an FP16 run."""
    planned = _planned(asked)
    if not asked.guard or asked.guard != asked.run:
        return tuple(planned)
    guards = [
        msgspec.structs.replace(stage, name=f"guard: {stage.name}", guard=True)
        for stage in _planned(guarding(asked))
        if stage.kind in _OF_GUARD
    ]
    own = [stage for stage in planned if stage.kind not in SHARED]
    return (*own, *guards, *planned[len(own) :])


def baseline_key(asked: RunRequest) -> str:
    """Of the baseline's plan, which no recipe changes."""
    normalised = next(stage for stage in _planned(asked) if stage.kind == "normalise")
    inputs = _Inputs(asked)
    return _hash(normalised.key, "baseline", inputs.lower(-1), inputs.built(asked.spec.backend))


def _planned(asked: RunRequest) -> list[Stage]:
    spec = asked.spec
    common = {name: version for name, version in asked.versions.items() if name not in (*OF_BACKENDS, *OF_STEPS, OF_DETECTION)}
    key = _hash(FORMAT, common, asked.model_sha256, msgspec.to_builtins(spec.shapes))
    inputs, planned = _Inputs(asked), []
    elsewhere = spec.trained.keys if spec.trained is not None else {}
    for name, kind, place in stage_names(spec):
        own = elsewhere.get(name) or _hash(key, name, _SETTINGS[kind](inputs, place))
        if kind not in _LOOK_ONLY:
            key = own
        planned.append(Stage(name=name, kind=kind, key=own, step=place))
    return planned


class _Inputs:
    """What a run's keys are made of besides the model: each method has what one kind of stage depends on."""

    def __init__(self, asked: RunRequest) -> None:
        spec = self._spec = asked.spec
        self._asked = asked
        self._data = [
            asked.dataset_hash,
            asked.calibration_hash,
            spec.dataset.described() if spec.dataset else None,
            spec.calibration.described() if spec.calibration else None,
            spec.seed,
        ]
        self._backend = msgspec.to_builtins(spec.backend)
        card = self._card = CARDS[spec.backend.name]
        self._here = [asked.versions.get(name) for name in card.packages]
        self._here += tensorrt_here.fingerprint() if card.tied_to_gpu else ()

    def inspect(self, _place: int) -> list[object]:
        return [
            self._card.name,
            self._here,
            self._spec.backend.target,
            self._backend[self._card.name] if self._card.check_settings else None,
            self._data[:-1],  # all but the seed: it refuses and warns of data
            [step.method for step in self._spec.recipe.active],
        ]

    def normalise(self, _place: int) -> list[object]:
        return []

    def step(self, place: int) -> list[object]:
        step = self._spec.recipe.active[place]
        versions = [self._asked.versions.get(package) for package in step.packages]
        beside = [self._asked.file_hashes.get(file) for file in step.files]
        return [step.described(), self._data if step.need != "none" else None, *versions, *beside, *self._anew()]

    def lower(self, _place: int) -> list[object]:
        processor = read_processor()
        made_for = processor.described if self._asked.keys == 1 else processor.instruction_sets
        narrowed = any(step.narrows for step in self._spec.recipe.active)
        return [self._card.name, made_for, self._here, *(["shortcuts"] if narrowed else [])]

    def _anew(self) -> list[int]:
        """Nothing of a run that is no repetition: it keeps the key that it had before there were any."""
        return [self._spec.anew] if self._spec.anew else []

    def build(self, _place: int) -> list[object]:
        own = self._spec.candidate  # the baseline's plan is of this stage too
        return [*self.built(self._spec.backend), *(self.built(own) if own is not None else [])]

    def built(self, settings: BackendSettings) -> list[object]:
        """What a plan with these settings depends on besides its graph."""
        return [_built_with(msgspec.to_builtins(settings), self._card), self._here]

    def verify(self, _place: int) -> list[object]:
        return [self._data, self._spec.recipe.least_cosine]

    def measure(self, _place: int) -> list[object]:
        return [self._asked.run, self._spec.preset, msgspec.to_builtins(self._spec.workload), self._data]

    def inputs(self, _place: int) -> list[object]:
        return [self._asked.run, self._spec.per_input, self._data]

    def evaluate(self, _place: int) -> list[object]:
        version = self._asked.versions.get(OF_DETECTION)  # a run that was begun without keeps its key
        guard = self._asked.guard and ("built" if self._asked.guard == self._asked.run else self._asked.guard)
        half = [self._spec.half, _HALVES] if self._spec.half else []
        return [self._data, None, *([version] if version else []), *([guard] if guard else []), *half]


_SETTINGS: dict[str, Callable[[_Inputs, int], list[object]]] = {
    "inspect": _Inputs.inspect,
    "normalise": _Inputs.normalise,
    "step": _Inputs.step,
    "lower": _Inputs.lower,
    "build": _Inputs.build,
    "verify": _Inputs.verify,
    "measure": _Inputs.measure,
    "inputs": _Inputs.inputs,
    "evaluate": _Inputs.evaluate,
    "energy": _Inputs.measure,
}
GUARD = Recipe(name="guard", title="FP16 beside INT8", step=(PrecisionFp16(),))
_OF_GUARD = ("step", "lower", "build", "verify")
SHARED = ("measure", "inputs", "evaluate", "energy")
"""Kinds of stages that the runs of a group go through together."""
_LOOK_ONLY = ("inspect", "verify", "measure", "inputs", "evaluate", "energy")
"""They make no file that a later stage reads: its key does not depend on theirs."""


def _built_with(backend: dict[str, Any], card: Card) -> dict[str, Any]:
    """Settings of a backend without those that change how a plan is run and not the plan: a build may take half an hour."""
    kept = {key: value for key, value in backend.items() if key not in CARDS}
    for other in CARDS.values():
        if other.name in backend and (other is card or other.in_every_key):
            kept[other.name] = {key: value for key, value in backend[other.name].items() if key not in other.run_only}
    return kept


def _hash(*parts: object) -> str:
    return short_hash(json.dumps(parts, sort_keys=True, default=str).encode())[:24]
