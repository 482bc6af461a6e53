"""Raising a model's opset, where a step needs an operator's later form.

The converter has gaps that every caller must be shielded from: it loses metadata, cannot go down, and trips over
operators of other domains.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

import onnx
from onnx import ModelProto, TensorProto, helper, version_converter

from ..errors import ModelRefused
from .external import LARGEST_IN_MEMORY, checkable, size_of
from .group_norm import written_out
from .names import shielded
from .plugins import of_onnx
from .values import span, stand_ins
from .walk import is_onnx, label, nodes, opset

_ASIDE = "edgetui.plugins"


def raise_opset(model: ModelProto, version: int, purpose: str) -> ModelProto:
    """The model with opset `version` or later; itself when it has that already. `purpose` says in errors what for.

    Raises:
        ModelRefused: ONNX's converter cannot bring it there.
    """
    if opset(model) >= version:
        return model
    if size_of(model) > LARGEST_IN_MEMORY:
        raise ModelRefused(
            f"{purpose} needs opset {version}, the model has {opset(model)} and is too large for ONNX's converter",
            fix=f"export the model with opset {version} or later",
        )
    try:
        with _plugins_aside(model):
            source = written_out(model) if opset(model) < 21 else model
            raised = shielded(_copy(source), lambda plain: _converted(plain, version))
            _carry_over(model, raised)
            onnx.checker.check_model(checkable(raised))
    except (RuntimeError, ValueError, onnx.checker.ValidationError, version_converter.ConvertError) as error:
        raise ModelRefused(
            f"{purpose} needs opset {version}, the model has {opset(model)}, and ONNX's converter cannot raise it "
            f"({str(error).strip().splitlines()[0][:120]})",
            fix=f"export the model with opset {version} or later",
        ) from error
    _put_back(raised)
    return raised


@contextmanager
def _plugins_aside(model: ModelProto) -> Iterator[None]:
    """Give plugins that stand in ONNX's own domain another meanwhile: the converter gives up at names it does not know."""
    odd = [node for node in nodes(model) if is_onnx(node) and not of_onnx(node)]
    for node in odd:
        node.domain = _ASIDE
    if odd:
        model.opset_import.append(helper.make_opsetid(_ASIDE, 1))
    try:
        yield
    finally:
        _put_back(model)


def _put_back(model: ModelProto) -> None:
    for node in nodes(model):
        if node.domain == _ASIDE:
            node.ClearField("domain")
    imports = [entry for entry in model.opset_import if entry.domain != _ASIDE]
    del model.opset_import[:]
    model.opset_import.extend(imports)


def following(before: ModelProto, after: ModelProto, labels: Collection[str]) -> set[str]:
    """`labels` of nodes, and those of the nodes that the converter made in place of theirs: Softmax becomes three, for one."""
    old = {name for node in before.graph.node for name in node.output} | {value.name for value in before.graph.input}
    made = {name: node for node in after.graph.node for name in node.output}
    found = set(labels)
    for node in before.graph.node:
        ahead = list(node.output) if label(node) in found else []
        while ahead:
            fresh = made.get(ahead.pop())
            if fresh is not None:
                found.add(label(fresh))
                ahead += [name for name in fresh.input if name not in old]
    return found


def _converted(model: ModelProto, version: int) -> ModelProto:
    """Tensors that refer to a file stay out of it: the converter is written in C++, and gets the model serialized."""
    referring = {tensor.name: tensor for tensor in model.graph.initializer if span(tensor) is not None}
    raised: ModelProto = version_converter.convert_version(stand_ins(model), version)
    for tensor in raised.graph.initializer:
        if tensor.name in referring:
            tensor.ClearField("raw_data")
            tensor.external_data.extend(referring[tensor.name].external_data)
            tensor.data_location = TensorProto.EXTERNAL
    return raised


def _copy(model: ModelProto) -> ModelProto:
    copy = ModelProto()
    copy.CopyFrom(model)
    return copy


def _carry_over(model: ModelProto, raised: ModelProto) -> None:
    """Put back what the converter drops or changes.

    Raises:
        ValueError: inputs or outputs have other names now.
    """
    for kind in ("input", "output"):
        before, after = getattr(model.graph, kind), getattr(raised.graph, kind)
        if [value.name for value in before] != [value.name for value in after]:
            raise ValueError(f"it changed the {kind}s")
        for old, new in zip(before, after, strict=True):
            new.CopyFrom(old)
    del raised.metadata_props[:]
    raised.metadata_props.extend(model.metadata_props)
    raised.producer_name, raised.producer_version = model.producer_name, model.producer_version
    least = helper.find_min_ir_version_for(list(raised.opset_import), ignore_unknown=True)
    raised.ir_version = max(model.ir_version, least)
