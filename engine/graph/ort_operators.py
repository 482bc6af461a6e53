"""Which nodes the installed ONNX Runtime can compute, by its own tables, which change with every release."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import cache

from onnx import ModelProto, NodeProto, OperatorSetIdProto, defs

from ..errors import WITHOUT, Refusal
from .walk import ONNX_DOMAINS, within


def foreign(model: ModelProto) -> list[int]:
    """Places in the main graph of the nodes that it cannot compute, because of what they are, hold or call."""
    broken: set[tuple[str, str]] = set()
    before = -1
    while len(broken) > before:  # a function may call another that comes after it
        before = len(broken)
        for function in model.functions:
            if any(calls(node, broken) or refusal_of(node, model, function.opset_import) for node in within(function.node)):
                broken.add((function.domain, function.name))
    return [
        place
        for place, node in enumerate(model.graph.node)
        if any(calls(one, broken) or refusal_of(one, model, model.opset_import) for one in within([node]))
    ]


def calls(node: NodeProto, functions: Collection[tuple[str, str]]) -> bool:
    """Whether it is a call of one of these (domain, name)."""
    return (node.domain, node.op_type) in functions


def refusal_of(node: NodeProto, model: ModelProto, imports: Iterable[OperatorSetIdProto]) -> Refusal | None:
    """Why it would refuse a node, which is of these operator sets; None: it knows it, or it calls a function of the model."""
    if calls(node, {(function.domain, function.name) for function in model.functions}):
        return None
    versions = {("" if entry.domain in ONNX_DOMAINS else entry.domain): entry.version for entry in imports}
    domain = "" if node.domain in ONNX_DOMAINS else node.domain
    first = _operators().get((domain, node.op_type))
    if first is None:
        where = f"domain {domain}" if domain else "ONNX's own operators"
        return Refusal.of(f"operator {node.op_type} is not in {where} as ONNX Runtime knows it", *WITHOUT)
    if domain not in versions:
        return Refusal.of(f"operator {node.op_type} is of domain {domain}, which the model does not import", "export it again")
    if domain == "" and versions[domain] < first:
        return Refusal.of(
            f"operator {node.op_type} came with opset {first}, the model says {versions[domain]}", f"export with opset {first}"
        )
    if not _runs(domain, node.op_type):
        return Refusal.of(f"ONNX Runtime has no implementation of {node.op_type} for the CPU", *WITHOUT)
    return None


@cache
def _kernels() -> frozenset[tuple[str, str]]:
    from onnxruntime.capi import onnxruntime_pybind11_state as runtime

    return frozenset(
        ("" if kernel.domain in ONNX_DOMAINS else kernel.domain, kernel.op_name)
        for kernel in runtime.get_all_opkernel_def()
        if kernel.provider == "CPUExecutionProvider"
    )


def _runs(domain: str, operator: str) -> bool:
    """Whether there is a kernel, or a definition by other operators that the runtime expands."""
    if operator == "Constant" or (domain, operator) in _kernels():
        return True
    try:
        schema = defs.get_schema(operator, domain)
    except defs.SchemaError:
        return domain != ""  # the runtime's own domains have definitions of their own
    # The stub of the package does not know these two.
    return bool(schema.has_function or schema.has_context_dependent_function)  # type: ignore[attr-defined]


@cache
def _operators() -> dict[tuple[str, str], int]:
    """Every operator of every domain that the runtime has, with the version of its set it came with."""
    from onnxruntime.capi import onnxruntime_pybind11_state as runtime

    first: dict[tuple[str, str], int] = {}
    for schema in runtime.get_all_operator_schema():
        key = ("" if schema.domain in ONNX_DOMAINS else schema.domain, schema.name)
        first[key] = min(schema.since_version, first.get(key, schema.since_version))
    return first
