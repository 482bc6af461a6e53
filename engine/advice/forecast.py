"""What will happen, before a run: sizes, memory, time, and what cannot win and why.

Estimates from the model's facts and this board's own history; nothing is loaded, so the screen may ask at every key.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median

from msgspec import Struct, structs

from ..backends.card import Card
from ..backends.cards import CARDS
from ..errors import DataRefused, Fix, Refusal
from ..library.recipes import missing_file, missing_package
from ..schema.model_facts import ModelFacts
from ..schema.settings import BackendSettings
from ..schema.spec import Dataset, RunSpec
from ..schema.step import SampleNeed, Step
from ..schema.steps import Recipe
from .workload_needs import lasts, unmet

_WANTED: dict[SampleNeed, str] = {
    "calibration": "samples to calibrate with",
    "training": "samples to train on",
    "labelled": "labelled samples to train on",
}
_PURPOSES: dict[SampleNeed, str] = {"calibration": "to calibrate", "training": "to train", "labelled": "to train"}
_CHOOSE = (Fix("choose some: {}", "calibration"), Fix("{} to evaluate as well", "dataset"))
BASE_MB = 110
"""What a stage's process holds before the model: interpreter, numpy, onnx, onnxruntime (measured: 70 to 113 MB)."""
_PRODUCTS = ("Conv", "ConvTranspose", "Gemm", "MatMul")


class Forecast(Struct, frozen=True, kw_only=True):
    """What is known about a run before it starts; None: cannot be told."""

    size_bytes: int
    size_after_bytes: int | None = None
    """The model's file after the recipe; an estimate."""
    memory_need_mb: float | None = None
    """Peak of the hungriest stage; an estimate from the model's size."""
    memory_free_mb: float | None = None
    seconds: float | None = None
    """Median of earlier runs like it on this board; None: there are none."""
    history: int = 0
    """How many runs `seconds` rests on."""
    measuring: str = ""
    """How long the workload measures at most, one line for people; empty: as runs flat out do."""
    backend: str = ""
    """One line for people, e.g. `onnxruntime, 2 threads`."""
    data: str = ""
    """One line for people, e.g. `digits: 500 to calibrate, the rest to evaluate`."""
    warnings: tuple[str, ...] = ()
    """What to know before the run may start: what may spoil or will be missing from the result, then `remarks`."""
    remarks: tuple[str, ...] = ()
    """Those of `warnings` that are harmless: what nobody should hope for."""
    refusals: tuple[Refusal, ...] = ()
    """Why the run would be refused, each with what to do."""
    errors: tuple[str, ...] = ()
    """The `refusals` in the words of the command line; made from them."""
    checked: bool = False
    """Whether model and data were opened and fit each other; False: this is what can be told without."""

    def __post_init__(self) -> None:
        structs.force_setattr(self, "errors", tuple(map(str, self.refusals)))

    @property
    def serious(self) -> tuple[str, ...]:
        """The warnings that are no mere remarks."""
        return tuple(text for text in self.warnings if text not in self.remarks)


def forecast(spec: RunSpec, facts: ModelFacts, history_seconds: Sequence[float], memory_free_mb: float | None) -> Forecast:
    """Say what will happen if `spec` is run.

    Args:
        spec: what would be asked.
        facts: what `inspect` found in `spec.model`.
        history_seconds: what earlier runs of the same model, recipe and preset took on this board.
        memory_free_mb: available system memory; None: unknown.
    """
    copies = max(step.copies for step in (Step(), *spec.recipe.active))
    imported = {package for step in spec.recipe.active for package in step.packages}
    sharing = (card for card in CARDS.values() if imported.intersection(card.packages))
    beside_mb = max([_card(spec).memory_mb(spec.backend), *(card.memory_mb(BackendSettings()) for card in sharing)])
    held = max(facts.size_bytes, facts.plain_bytes or 0)
    need = round(BASE_MB + beside_mb + copies * held / 1e6)
    remarks = _hopes(spec.recipe, spec.backend) + _guarded(spec)
    warnings = _serious(spec.recipe) + _nothing_to_do(spec.recipe, facts) + _missing(spec)
    if memory_free_mb is not None and need > memory_free_mb:
        warnings.append(f"needs about {need} MB of memory and {int(memory_free_mb)} MB are free: close something, or add swap")
    return Forecast(
        size_bytes=facts.size_bytes,
        size_after_bytes=size_after(spec.recipe, facts, spec.backend.name),
        memory_need_mb=float(need),
        memory_free_mb=memory_free_mb,
        seconds=median(history_seconds) if history_seconds else None,
        history=len(history_seconds),
        measuring=lasts(spec),
        backend=_card(spec).line(spec.backend),
        data=_data_line(spec),
        warnings=(*warnings, *remarks),
        remarks=tuple(remarks),
        refusals=tuple(_refusals(spec, facts)),
    )


def size_after(recipe: Recipe, facts: ModelFacts, backend: str = "onnxruntime") -> int | None:
    """Bytes of the model's file after the recipe; None where the weights are not FP32 or a step resizes layers.

    Weights that steps act on, and tables, take the fewest bits that a step gives them, all others those of half precision; a
    zero takes as much room as any weight. The file holds what it computes from constants in place of those, before all else.
    """
    size = facts.size_bytes if facts.plain_bytes is None else facts.plain_bytes
    stored = 4 * facts.prunable if facts.prunable_bytes is None else facts.prunable_bytes
    rest = facts.parameters - facts.prunable
    if (
        any(step.resizes for step in recipe.active)
        or not facts.parameters
        or size - stored < 3.5 * rest
        or stored > 4 * facts.prunable
    ):
        return None
    kernels, steps = CARDS[backend].kernels, recipe.active
    bits_stored = 8 * stored / facts.prunable if facts.prunable else 32.0
    bits_prunable = min([bits_stored, *(step.weight_bits for step in steps)])
    bits_rest = min([32.0, *(step.other_bits for step in steps)])
    products = sum(facts.operators.get(name, 0) for name in _PRODUCTS)
    beside = max([0, *(step.scale_bytes * facts.scales + step.node_bytes * products for step in steps)])
    left = max([0, *(step.left_wide(facts, kernels) for step in steps if step.weight_bits == bits_prunable)])
    rows = (step.table_bytes(facts) for step in steps if kernels.integers_tables or not step.integers)
    saved_bits = (facts.prunable - left) * (bits_stored - bits_prunable) + (rest - facts.tables) * (32 - bits_rest)
    return round(size - saved_bits / 8 - (4 * facts.tables - min([4.0 * facts.tables, *rows])) + beside) + _second_plan(
        recipe, facts, size
    )


def _second_plan(recipe: Recipe, facts: ModelFacts, size: int) -> int:
    """Bytes of the file that inputs run in again; 0: there is none."""
    step = recipe.escalating
    if step is None:
        return 0
    return size if step.precision == "float32" else size - 2 * facts.parameters


def cannot_win(recipe: Recipe, backend: BackendSettings) -> list[str]:
    """What is in a recipe, or of it on this backend, that will not do what people hope for, and what spoils other steps."""
    return list(dict.fromkeys([*_serious(recipe), *_hopes(recipe, backend)]))


def _hopes(recipe: Recipe, backend: BackendSettings) -> list[str]:
    """What in a recipe will not make any model better in the way people hope; harmless."""
    found = (step.cannot_win(recipe.active, CARDS[backend.name].kernels) for step in recipe.active)
    return list(dict.fromkeys(filter(None, found)))


def _guarded(spec: RunSpec) -> list[str]:
    """That more is built and measured than was asked for."""
    int8 = any(step.arithmetic == "int8" for step in spec.recipe.active)
    if not (int8 and spec.guard and spec.measure and _card(spec).has_half(spec.backend)):
        return []
    return ["INT8 is measured beside FP16, which is built as well: what is not shown to beat it is not recommended"]


def _serious(recipe: Recipe) -> list[str]:
    """Steps that spoil what other steps did."""
    steps = recipe.active
    return list(dict.fromkeys(said for place, step in enumerate(steps) for said in step.spoils(steps[:place])))


def _nothing_to_do(recipe: Recipe, facts: ModelFacts) -> list[str]:
    """A recipe without a step, or a model without anything that a step acts on."""
    if not recipe.active:
        return ["the recipe has no step that is on: the candidate is the baseline, and no difference is what should come out"]
    if not facts.prunable and not facts.tables:
        return [
            "the model has no constant weights in Conv, Gemm, MatMul or recurrent nodes: there is nothing to prune or quantize"
        ]
    return []


def _missing(spec: RunSpec) -> list[str]:
    """What the result will lack for want of data."""
    if spec.dataset is not None or not spec.measure:
        return []
    unsampled = [] if spec.calibration else [step.unsampled for step in spec.recipe.active if step.need == "optional"]
    return [", and ".join(dict.fromkeys(["no dataset: no accuracy", *unsampled]))]


def _refusals(spec: RunSpec, facts: ModelFacts) -> list[Refusal]:
    """Why the run would be refused."""
    found = [
        Refusal.of(f"the size of `{axis}` is not known", Fix("give it with {}", "shape", axis))
        for axis in facts.open_axes
        if _open(axis, spec)
    ]
    reader = _card(spec).reader(spec.backend)
    reader = reader if reader in facts.refusals else spec.backend.name
    found += [refusal.because_of(f"{reader} cannot read this model") for refusal in facts.refusals.get(reader, ())]
    missing = missing_package(spec.steps_here) or missing_file(spec.recipe)
    asked = (_without_samples(spec), unmet(spec), missing, _card(spec).refuse_here())
    errors = [error for error in asked if error]
    for error in errors:
        error.narrow(lambda target: not facts.refusals.get(target))
    found += [error.refusal for error in errors]
    if any(step.quantized_before(facts) for step in spec.recipe.active):
        found.append(Refusal.of("the model is quantized already", "take the floating-point original"))
    return found


def refuse_without_samples(spec: RunSpec) -> None:
    """Refuse at once what would fail in the middle of the run.

    Raises:
        DataRefused: a step has to calibrate or to train, and there is nothing to do it with.
    """
    error = _without_samples(spec)
    if error:
        raise error


def _without_samples(spec: RunSpec) -> DataRefused | None:
    data = spec.calibration or spec.dataset
    needing = next((step for step in spec.recipe.active if step.need in _WANTED), None)
    if data is None:
        return DataRefused(f"{needing.method} needs {_WANTED[needing.need]}", fix=_CHOOSE) if needing else None
    training = next((step for step in spec.recipe.active if step.need in ("training", "labelled")), None)
    if training is None:
        return None
    if data.task == "none" and training.need == "labelled":
        return DataRefused(
            f'{training.method} needs labels, and {_name(data)} says task = "none"',
            fix=Fix("name a labelled set with {}", "calibration"),
        )
    if spec.dataset and (spec.calibration or data.calibration) and _same_file(data.calibration or data.path, spec.dataset.path):
        return DataRefused(
            f"{training.method} would train on the samples of {_name(spec.dataset)} that the model is evaluated with",
            fix=Fix("name other samples with {}, or none: then a share of the dataset is set aside", "calibration"),
        )
    return None


def refuse_without_packages(spec: RunSpec) -> None:
    """Refuse at once what needs a package that this Python does not have, or a file that is not there.

    Raises:
        RecipeRefused: a step of the recipe needs it.
        BackendRefused: the backend does.
    """
    error = missing_package(spec.steps_here) or missing_file(spec.recipe) or _card(spec).refuse_here()
    if error:
        raise error


def _card(spec: RunSpec) -> Card:
    return CARDS[spec.backend.name]


def _same_file(one: str, other: str) -> bool:
    return Path(one).resolve() == Path(other).resolve()


def _open(axis: str, spec: RunSpec) -> bool:
    """Whether an open axis, written `image=1x3x?x?`, is still without a size."""
    return axis.rpartition("=")[0] not in spec.shapes


def _data_line(spec: RunSpec) -> str:
    evaluation, calibration = spec.dataset, spec.calibration or spec.dataset
    parts = [f"{_name(evaluation)}{_read_as(evaluation)}"] if evaluation else []
    of = ""
    if calibration and (calibration is not evaluation or calibration.calibration):
        of = f" of {_name(calibration, calibrating=True)}"
    for need, purpose in _PURPOSES.items() if calibration else ():
        asked = [step.most_samples for step in spec.recipe.active if step.need == need]
        if asked:
            most = None if None in asked else max(filter(None, asked))
            parts.append((f"up to {most}{of}" if most else f"all{of or ' of a share of it'}") + f" {purpose}")
    return ", ".join(parts) or "none"


def _read_as(dataset: Dataset) -> str:
    """What its labels are taken for, where that is no class each."""
    return "" if dataset.task in ("classification", "none") else f" ({dataset.task})"


def _name(dataset: Dataset, *, calibrating: bool = False) -> str:
    """A dataset's name; for calibration its own file where it has one."""
    if calibrating and dataset.calibration:
        return Path(dataset.calibration).name
    return dataset.name or Path(dataset.path).name
