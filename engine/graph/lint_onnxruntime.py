"""What the installed ONNX Runtime would refuse: operators, operator sets and IR versions it does not know.

Apart because the answer comes from the runtime's own tables, which change with every release.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from functools import cache

from onnx import ModelProto, NodeProto, OperatorSetIdProto, TensorProto, defs, helper

from .walk import ELSEWHERE, ONNX_DOMAINS, called, label, nodes, opset, within


def refusals(model: ModelProto) -> list[str]:
    """A sentence for each operator, operator set or version that it would refuse, those inside called functions among them."""
    found = _version_refusals(model)
    found += [f"{label(node)}: {why}" for node in nodes(model) if (why := _why(node, model, model.opset_import))]
    for function in called(model):
        inner = ((node, _why(node, model, function.opset_import)) for node in within(function.node))
        found += [f"{label(node)} in function {function.name}: {why}" for node, why in inner if why]
    return found


def foreign(model: ModelProto) -> list[int]:
    """Places in the main graph of the nodes that it cannot compute, because of what they are, hold or call."""
    broken: set[tuple[str, str]] = set()
    before = -1
    while len(broken) > before:  # a function may call another that comes after it
        before = len(broken)
        for function in model.functions:
            if any(_calls(node, broken) or _why(node, model, function.opset_import) for node in within(function.node)):
                broken.add((function.domain, function.name))
    return [
        place
        for place, node in enumerate(model.graph.node)
        if any(_calls(one, broken) or _why(one, model, model.opset_import) for one in within([node]))
    ]


def _calls(node: NodeProto, functions: Collection[tuple[str, str]]) -> bool:
    return (node.domain, node.op_type) in functions


def _why(node: NodeProto, model: ModelProto, imports: Iterable[OperatorSetIdProto]) -> str:
    """Why it would refuse a node, which is of these operator sets; empty: it knows it, or it calls a function of the model."""
    if _calls(node, {(function.domain, function.name) for function in model.functions}):
        return ""
    versions = {("" if entry.domain in ONNX_DOMAINS else entry.domain): entry.version for entry in imports}
    domain = "" if node.domain in ONNX_DOMAINS else node.domain
    first = _operators().get((domain, node.op_type))
    if first is None:
        where = f"domain {domain}" if domain else "ONNX's own operators"
        return f"operator {node.op_type} is not in {where} as ONNX Runtime knows it; export without it{ELSEWHERE}"
    if domain not in versions:
        return f"operator {node.op_type} is of domain {domain}, which the model does not import; export it again"
    if domain == "" and versions[domain] < first:
        return f"operator {node.op_type} came with opset {first}, the model says {versions[domain]}; export with opset {first}"
    if not _runs(domain, node.op_type):
        return f"ONNX Runtime has no implementation of {node.op_type} for the CPU; export without it{ELSEWHERE}"
    return ""


def _version_refusals(model: ModelProto) -> list[str]:
    if _loads(model.ir_version, opset(model)):
        return []
    import onnxruntime

    release = onnxruntime.__version__
    fix = "export with an older one, or `pip install -U onnxruntime`"
    if not _loads(8, opset(model)):
        return [f"opset {opset(model)} is newer than ONNX Runtime {release} reads; {fix}"]
    return [f"IR version {model.ir_version} is newer than ONNX Runtime {release} reads; {fix}"]


@cache
def _loads(ir_version: int, version: int) -> bool:
    """Whether the runtime takes a graph of one Identity with these versions: only it knows."""
    import onnxruntime

    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in ("x", "y")]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "one", value[:1], value[1:])
    sets = [helper.make_opsetid("", version or 13)]
    tiny = helper.make_model(graph, opset_imports=sets, ir_version=ir_version)
    try:
        onnxruntime.InferenceSession(tiny.SerializeToString(), providers=["CPUExecutionProvider"])
    except Exception:  # its exceptions have no common base of their own
        return False
    return True


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
