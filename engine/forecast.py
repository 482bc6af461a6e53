"""What will happen, before a run: sizes, memory, time, and what cannot win and why.

Estimates from the model's facts and this board's own history; nothing is loaded, so the screen may ask at every key.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median

from msgspec import Struct

from .errors import ON_THE_CPU, BackendRefused, DataRefused
from .recipes import torch_here, without_torch
from .result import ModelFacts
from .spec import (
    BackendSettings,
    Dataset,
    PrecisionFp16,
    PruneMagnitude,
    QuantizeInt8,
    QuantizeWeights,
    Recipe,
    RunSpec,
    Step,
    TensorRtSettings,
    TrainFinetune,
)

_CHOOSE = "choose some: --calibration D, or --dataset D to evaluate as well"
BASE_MB = 110
"""What a stage's process holds before the model: interpreter, numpy, onnx, onnxruntime (measured: 70 to 113 MB)."""
COPIES = 4.5
"""Times the model's size that a stage holds at most: the file, the parsed graph, the edited one (measured with 113 MB: 4.2)."""
COPIES_OF_STEP = {"quantize.int8": 9.0, "quantize.weights": 6.0, "train.finetune": 10.0}
"""The same for steps that hold more (measured with 113 MB: 8.8 and 5.6; training holds gradients and two moments as well)."""
_PRODUCTS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
_BYTES_OF_SCALE, _BYTES_OF_PAIRS, _BYTES_OF_NODE = 5, 400, 120
"""A scale and zero-point of INT8; what stands around a node computed in integers, and around one with integer weights
(measured: 240 to 500, and 90 to 140)."""
TORCH_MB = 320
"""What a stage with PyTorch holds besides (training, measured with a small model: 430 to 450 MB in all)."""
COMPILING_MB = 580
"""What torch.compile holds besides (measured with a small model: 165 MB in the stage, 415 MB in its C++ compiler)."""


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
    backend: str = ""
    """One line for people, e.g. `onnxruntime, 2 threads`."""
    data: str = ""
    """One line for people, e.g. `digits: 500 to calibrate, the rest to evaluate`."""
    warnings: tuple[str, ...] = ()
    """What to know before the run may start: what may spoil or will be missing from the result, then `remarks`."""
    remarks: tuple[str, ...] = ()
    """Those of `warnings` that are harmless: what nobody should hope for."""
    errors: tuple[str, ...] = ()
    """Why the run would be refused, each with what to do."""
    checked: bool = False
    """Whether model and data were opened and fit each other; False: this is what can be told without."""

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
    copies = max([COPIES, *(COPIES_OF_STEP.get(step.method, 0) for step in spec.recipe.active)])
    trains = any(isinstance(step, TrainFinetune) for step in spec.recipe.active)
    pytorch = TORCH_MB if trains or spec.backend.name == "torch" else 0
    compiles = spec.backend.name == "torch" and spec.backend.torch.mode == "compiled"
    held = max(facts.size_bytes, facts.plain_bytes or 0)
    need = round(BASE_MB + pytorch + (COMPILING_MB if compiles else 0) + copies * held / 1e6)
    remarks = _hopes(spec.recipe, spec.backend)
    warnings = _serious(spec.recipe) + _nothing_to_do(spec.recipe, facts) + _missing(spec)
    if memory_free_mb is not None and need > memory_free_mb:
        warnings.append(f"needs about {need} MB of memory and {memory_free_mb:.0f} MB are free: close something, or add swap")
    return Forecast(
        size_bytes=facts.size_bytes,
        size_after_bytes=size_after(spec.recipe, facts, spec.backend.name),
        memory_need_mb=float(need),
        memory_free_mb=memory_free_mb,
        seconds=median(history_seconds) if history_seconds else None,
        history=len(history_seconds),
        backend=_backend_line(spec),
        data=_data_line(spec),
        warnings=(*warnings, *remarks),
        remarks=tuple(remarks),
        errors=tuple(_refusals(spec, facts)),
    )


def size_after(recipe: Recipe, facts: ModelFacts, backend: str = "onnxruntime") -> int | None:
    """Bytes of the model's file after the recipe; None where the weights are not FP32, so that the rules do not hold.

    Weights of Conv, Gemm and MatMul take the fewest bits that a step gives them, all others those of half precision; a zero
    takes as much room as any weight. The file holds what it computes from constants in place of those, before all else.
    """
    size = facts.size_bytes if facts.plain_bytes is None else facts.plain_bytes
    stored = 4 * facts.prunable if facts.prunable_bytes is None else facts.prunable_bytes
    rest = facts.parameters - facts.prunable
    if not facts.parameters or size - stored < 3.5 * rest or stored > 4 * facts.prunable:
        return None
    bits_stored = 8 * stored / facts.prunable if facts.prunable else 32.0
    bits_prunable, bits_rest, beside = bits_stored, 32.0, 0
    products = sum(facts.operators.get(name, 0) for name in _PRODUCTS)
    left = 0 if backend == "tensorrt" else facts.prunable_in_floats
    for step in recipe.active:
        if isinstance(step, QuantizeInt8):
            bits_prunable = min(bits_prunable, 8)
            beside = _BYTES_OF_SCALE * facts.scales + _BYTES_OF_PAIRS * products
        elif isinstance(step, QuantizeWeights):
            scale_bits = 32 / step.block if step.grouping == "block" else 0
            bits_prunable = min(bits_prunable, step.bits + scale_bits)
            beside = max(beside, 4 * facts.scales + _BYTES_OF_NODE * products)
        elif isinstance(step, PrecisionFp16):
            bits_prunable, bits_rest = min(bits_prunable, 16), 16
    if not any(isinstance(step, QuantizeInt8) for step in recipe.active) or bits_prunable < 8:
        left = facts.prunable_in_bodies if bits_prunable == 16 else 0
    if backend == "tensorrt":
        left += sum(_blocks_refused(step, facts) for step in recipe.active)
    saved_bits = (facts.prunable - left) * (bits_stored - bits_prunable) + rest * (32 - bits_rest)
    return round(size - saved_bits / 8 + beside)


def _blocks_refused(step: Step, facts: ModelFacts) -> int:
    """Weights that become floats again because TensorRT reads no blocks along their axis."""
    if not isinstance(step, QuantizeWeights) or step.grouping != "block":
        return 0
    return sum(count for length, count in facts.prunable_deep.items() if length >= step.block)


def cannot_win(recipe: Recipe, backend: BackendSettings) -> list[str]:
    """What is in a recipe, or of it on this backend, that will not do what people hope for, and what spoils other steps."""
    return list(dict.fromkeys([*_serious(recipe), *_hopes(recipe, backend)]))


def _hopes(recipe: Recipe, backend: BackendSettings) -> list[str]:
    """What in a recipe will not make any model better in the way people hope; harmless."""
    found = []
    pytorch = backend.name == "torch"
    pruned = [step.amount for step in recipe.active if isinstance(step, PruneMagnitude)]
    shares = {"the" if amount is None else f"{amount * 100:.3g} %" for amount in pruned}
    if shares:
        share = shares.pop() if len(shares) == 1 else "the"
        found.append(f"scattered zeros do not make a dense plan faster; {share} zeros change size only when compressed")
    for step in recipe.active:
        if isinstance(step, QuantizeInt8) and pytorch:
            found.append("PyTorch computes INT8 as floating point with rounding: the values of INT8, and slower, not faster")
        elif isinstance(step, PrecisionFp16):
            found.append("half precision halves the file; on a CPU without FP16 arithmetic it is no faster, often slower")
        elif isinstance(step, TrainFinetune):
            times = f"its samples {step.epochs} epoch{'s' if step.epochs > 1 else ''}"
            found.append(f"training goes through {times}, forward and back: minutes on a PC, up to hours on a board")
        elif isinstance(step, QuantizeWeights):
            held = ", and PyTorch holds them as floats once loaded" if pytorch else ""
            found.append(f"weights alone in integers make the file smaller; the arithmetic stays in floating point{held}")
    return list(dict.fromkeys(found))


def _serious(recipe: Recipe) -> list[str]:
    """Steps that spoil what other steps did."""
    found = []
    narrowed = False
    for step in recipe.active:
        if isinstance(step, PruneMagnitude) and narrowed:
            found.append("pruning after quantization changes weights that ranges were chosen for: prune first")
        elif isinstance(step, TrainFinetune):
            if narrowed:
                found.append("training after quantization changes weights that ranges were chosen for: train first")
            if not step.keep_zeros and any(isinstance(other, PruneMagnitude) for other in recipe.active):
                found.append("with keep_zeros off, training fills the zeros that pruning makes")
        narrowed = narrowed or isinstance(step, QuantizeInt8 | QuantizeWeights)
    return list(dict.fromkeys(found))


def _nothing_to_do(recipe: Recipe, facts: ModelFacts) -> list[str]:
    """A recipe without a step, or a model without anything that a step acts on."""
    if not recipe.active:
        return ["the recipe has no step that is on: the candidate is the baseline, and no difference is what should come out"]
    if not facts.prunable:
        return ["the model has no constant weights in Conv, Gemm or MatMul: there is nothing to prune or quantize"]
    return []


def _missing(spec: RunSpec) -> list[str]:
    """What the result will lack for want of data."""
    if spec.dataset is not None or not spec.measure:
        return []
    if spec.calibration is None and any(isinstance(step, PrecisionFp16) for step in spec.recipe.active):
        return ["no dataset: no accuracy, and half precision is checked for overflow on weights alone"]
    return ["no dataset: no accuracy"]


def _refusals(spec: RunSpec, facts: ModelFacts) -> list[str]:
    """Why the run would be refused."""
    found = [f"the size of `{axis}` is not known; give it with --shape {axis}" for axis in facts.open_axes if _open(axis, spec)]
    # Only TensorRT-RTX builds for a GPU that is not here, and it reads less.
    reader = "tensorrt-rtx" if spec.backend.target and "tensorrt-rtx" in facts.refused else spec.backend.name
    found += [f"{reader} cannot read this model: {line}" for line in facts.refused.get(reader, ())]
    errors = [error for error in (_without_samples(spec), without_torch(spec.recipe), _without_pytorch(spec)) if error]
    for error in errors:
        error.narrow(lambda target: not facts.refused.get(target))
    found += map(str, errors)
    again = QuantizeInt8 if facts.prunable else QuantizeInt8 | QuantizeWeights  # what is float still can become integers
    if facts.quantized and any(isinstance(step, again) for step in spec.recipe.active):
        found.append("the model is quantized already; take the floating-point original")
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
    trains = any(isinstance(step, TrainFinetune) for step in spec.recipe.active)
    if data is None and any(isinstance(step, QuantizeInt8) for step in spec.recipe.active):
        return DataRefused("quantize.int8 needs samples to calibrate with", fix=_CHOOSE)
    if data is None and trains:
        return DataRefused("train.finetune needs labelled samples to train on", fix=_CHOOSE)
    if data is None or not trains:
        return None
    if data.task == "none":
        return DataRefused(
            f'train.finetune needs labels, and {_name(data)} says task = "none"', fix="name a labelled set with --calibration D"
        )
    if spec.dataset and (spec.calibration or data.calibration) and _same_file(data.calibration or data.path, spec.dataset.path):
        return DataRefused(
            f"train.finetune would train on the samples of {_name(spec.dataset)} that the model is evaluated with",
            fix="name other samples with --calibration D, or none: then a share of the dataset is set aside",
        )
    return None


def refuse_without_pytorch(spec: RunSpec) -> None:
    """Refuse at once what needs PyTorch where this Python does not have it.

    Raises:
        RecipeRefused: a step of the recipe needs it.
        BackendRefused: the backend does.
    """
    error = without_torch(spec.recipe) or _without_pytorch(spec)
    if error:
        raise error


def _without_pytorch(spec: RunSpec) -> BackendRefused | None:
    if spec.backend.name != "torch" or torch_here():
        return None
    return BackendRefused(
        "the backend torch needs PyTorch, which this Python does not have",
        fix="pip install 'edgetui[torch]' (on a Jetson: NVIDIA's own torch wheel)",
        ways=ON_THE_CPU,
    )


def _same_file(one: str, other: str) -> bool:
    return Path(one).resolve() == Path(other).resolve()


def _open(axis: str, spec: RunSpec) -> bool:
    """Whether an open axis, written `image=1x3x?x?`, is still without a size."""
    return axis.rpartition("=")[0] not in spec.shapes


def _backend_line(spec: RunSpec) -> str:
    if spec.backend.name == "tensorrt":
        return _tensorrt_line(spec.backend.tensorrt)
    pytorch = spec.backend.name == "torch"
    threads = spec.backend.torch.threads if pytorch else spec.backend.threads
    count = f"{threads} thread{'s' if threads > 1 else ''}" if threads else "a thread for each physical core"
    if pytorch:
        where = {"auto": "a GPU if there is one", "cpu": "CPU", "cuda": "GPU"}[spec.backend.torch.device]
        return f"torch {spec.backend.torch.mode}, {where}, {count}"
    rewriting = "" if spec.backend.graph == "all" else f", graph options {spec.backend.graph}"
    return f"{spec.backend.name}, {count}{rewriting}"


def _tensorrt_line(asked: TensorRtSettings) -> str:
    words = [f"for {asked.target}" if asked.target else "for the GPU here"]
    words += [] if asked.sparse is None else ["2:4 sparse kernels allowed" if asked.sparse else "no sparse kernels"]
    words += [f"DLA core {asked.dla_core}"] if asked.dla_core is not None else []
    words += [] if asked.tf32 else ["no TF32"]
    words += ["CUDA graph"] if asked.cuda_graph and not asked.target else []
    return f"tensorrt, {', '.join(words)}"


def _data_line(spec: RunSpec) -> str:
    evaluation, calibration = spec.dataset, spec.calibration or spec.dataset
    parts = [_name(evaluation)] if evaluation else []
    samples = [step.samples for step in spec.recipe.active if isinstance(step, QuantizeInt8)]
    training = [step.samples for step in spec.recipe.active if isinstance(step, TrainFinetune)]
    if calibration:
        of = "" if calibration is evaluation and not calibration.calibration else f" of {_name(calibration, calibrating=True)}"
        if samples:
            parts.append(f"up to {max(samples)}{of} to calibrate")
        if training:
            most = None if None in training else max(filter(None, training))
            parts.append((f"up to {most}{of}" if most else f"all{of or ' of a share of it'}") + " to train")
    return ", ".join(parts) or "none"


def _name(dataset: Dataset, *, calibrating: bool = False) -> str:
    """A dataset's name; for calibration its own file where it has one."""
    if calibrating and dataset.calibration:
        return Path(dataset.calibration).name
    return dataset.name or Path(dataset.path).name
