"""What the installed ONNX Runtime would refuse: operators, operator sets and IR versions it does not know.

The answer comes from the runtime's own tables, which change with every release.
"""

from __future__ import annotations

from functools import cache

from onnx import ModelProto, TensorProto, helper

from ..errors import Refusal
from ..graph.ort_operators import refusal_of
from ..graph.walk import called, label, nodes, opset, within
from ..graph.wiring import no_tensors


def refusals(model: ModelProto) -> list[Refusal]:
    """Each operator, operator set or version that it would refuse, those inside called functions among them."""
    found = [*no_tensors(model), *_version_refusals(model)]
    found += [why.at(label(node)) for node in nodes(model) if (why := refusal_of(node, model, model.opset_import))]
    for function in called(model):
        inner = ((node, refusal_of(node, model, function.opset_import)) for node in within(function.node))
        found += [why.at(label(node), function.name) for node, why in inner if why]
    return found


def _version_refusals(model: ModelProto) -> list[Refusal]:
    if _loads(model.ir_version, opset(model)):
        return []
    import onnxruntime

    release = onnxruntime.__version__
    fixes = ("export with an older one", "`pip install -U onnxruntime`")
    if not _loads(8, opset(model)):
        return [Refusal.of(f"opset {opset(model)} is newer than ONNX Runtime {release} reads", *fixes)]
    return [Refusal.of(f"IR version {model.ir_version} is newer than ONNX Runtime {release} reads", *fixes)]


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
