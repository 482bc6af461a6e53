"""What the installed ONNX Runtime would refuse: operators, operator sets and IR versions it does not know.

Apart because the answer comes from the runtime's own tables, which change with every release.
"""

from __future__ import annotations

from functools import cache

from onnx import ModelProto, TensorProto, defs, helper

from .walk import ONNX_DOMAINS, label, nodes, opset


def refusals(model: ModelProto) -> list[str]:
    """A sentence for each operator, operator set or version that it would refuse."""
    found = _version_refusals(model)
    known = _operators()
    own = {(function.domain, function.name) for function in model.functions}
    versions = {("" if entry.domain in ONNX_DOMAINS else entry.domain): entry.version for entry in model.opset_import}
    for node in nodes(model):
        domain = "" if node.domain in ONNX_DOMAINS else node.domain
        if (node.domain, node.op_type) in own:
            continue
        first = known.get((domain, node.op_type))
        if first is None:
            where = f"domain {domain}" if domain else "ONNX's own operators"
            found.append(
                f"{label(node)}: operator {node.op_type} is not in {where} as ONNX Runtime knows it; "
                "export without it, or use a backend that has it"
            )
        elif domain not in versions:
            found.append(
                f"{label(node)}: operator {node.op_type} is of domain {domain}, which the model does not import; "
                "export it again"
            )
        elif domain == "" and versions[domain] < first:
            found.append(
                f"{label(node)}: operator {node.op_type} came with opset {first}, the model says {versions[domain]}; "
                f"export with opset {first}"
            )
        elif not _runs(domain, node.op_type):
            found.append(f"{label(node)}: ONNX Runtime has no implementation of {node.op_type} for the CPU; export without it")
    return found


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
