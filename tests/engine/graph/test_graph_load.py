import struct
from pathlib import Path

import numpy as np
import onnx
import pytest
from edgetui.engine.errors import ModelRefused, StorageRefused
from edgetui.engine.graph import write
from edgetui.engine.graph.load import digest, load, load_with_calls, save
from edgetui.engine.schema.escalation import RULE
from onnx import TensorProto, helper, numpy_helper


def affine(rows: int = 64, opset: int = 13) -> onnx.ModelProto:
    """y = x W, W of [rows, 8] floats."""
    weight = np.random.default_rng(0).standard_normal((rows, 8)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"], name="mm")],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, rows])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 8])],
        [numpy_helper.from_array(weight, "w")],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def with_external(folder: Path, rows: int = 64, **changes: str) -> Path:
    """The model with `w` in weights.bin, the entries of its location changed as said."""
    model = affine(rows)
    tensor = model.graph.initializer[0]
    (folder / "weights.bin").write_bytes(tensor.raw_data)
    entries = {"location": "weights.bin", "offset": "0", "length": str(len(tensor.raw_data))} | changes
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in entries.items():
        tensor.external_data.add(key=key, value=value)
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def refusal(path: Path) -> str:
    with pytest.raises(ModelRefused) as caught:
        load(path)
    assert caught.value.fix
    return str(caught.value)


def test_missing_file(tmp_path: Path) -> None:
    assert "no file" in refusal(tmp_path / "none.onnx")


def test_folder(tmp_path: Path) -> None:
    assert "is a folder" in refusal(tmp_path)


def test_empty_file(tmp_path: Path) -> None:
    (tmp_path / "m.onnx").touch()
    assert "is empty" in refusal(tmp_path / "m.onnx")


def test_unreadable_file(tmp_path: Path) -> None:
    assert "cannot read" in refusal(tmp_path / ("x" * 300))


@pytest.mark.parametrize(
    ("content", "word"),
    [
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 64, "PNG"),
        (b"PK\x03\x04" + b"\0" * 64, "zip"),
        (b"hello, this is text\n" * 10, "not an ONNX file"),
        (b"\xff" * 100, "not an ONNX file"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS"),
        (b"\x80\x02}q\x00.", "pickle"),
        (b"\x80\x04}\x94.", "pickle"),
        (b"PK\x03\x04" + b"\0" * 26 + b"net/data.pkl" + b"\0" * 64, "a pickle of PyTorch, with weights or a module in it"),
        (b"PK\x03\x04" + b"\0" * 26 + b"net/code/__torch__/a.py\0net/data.pkl", "a module of TorchScript"),
        (b"PK\x03\x04" + b"\0" * 26 + b"net/data.pkl\0net/archive_format", "under another name; end its name in .pt2"),
    ],
)
def test_other_content(tmp_path: Path, content: bytes, word: str) -> None:
    (tmp_path / "m.onnx").write_bytes(content)
    assert word in refusal(tmp_path / "m.onnx")


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    whole = affine(rows=4).SerializeToString()
    path = tmp_path / "m.onnx"
    for length in range(1, len(whole)):
        path.write_bytes(whole[:length])
        try:
            model = load(path)
        except ModelRefused:
            continue
        pytest.fail(f"{length} of {len(whole)} bytes were taken for a model with {len(model.graph.node)} nodes")


def test_truncated_model_is_called_so(tmp_path: Path) -> None:
    whole = affine().SerializeToString()
    (tmp_path / "m.onnx").write_bytes(whole[: len(whole) // 2])
    assert "cut off or damaged" in refusal(tmp_path / "m.onnx")


def test_protobuf_without_a_graph(tmp_path: Path) -> None:
    model = onnx.ModelProto(ir_version=8, producer_name="nobody")
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    assert "damaged" in refusal(tmp_path / "m.onnx")


def test_graph_without_outputs(tmp_path: Path) -> None:
    model = affine()
    del model.graph.output[:]
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    assert "no outputs" in refusal(tmp_path / "m.onnx")


@pytest.mark.parametrize(("opset", "word"), [(6, "oldest"), (99, "knows up to")])
def test_opsets_out_of_reach(tmp_path: Path, opset: int, word: str) -> None:
    (tmp_path / "m.onnx").write_bytes(affine(opset=opset).SerializeToString())
    assert word in refusal(tmp_path / "m.onnx")


def test_weight_with_too_few_bytes(tmp_path: Path) -> None:
    model = affine()
    model.graph.initializer[0].raw_data = b"\0" * 12
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    assert "tensor w" in refusal(tmp_path / "m.onnx")


def test_external_data_come_in(tmp_path: Path) -> None:
    model = load(with_external(tmp_path))
    assert model == affine()


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"location": "other.bin"}, "missing"),
        ({"location": ""}, "says no file"),
        ({"location": "/etc/hostname"}, "outside"),
        ({"location": "../weights.bin"}, "outside"),
        ({"location": "a/../../weights.bin"}, "outside"),
        ({"location": "C:\\weights.bin"}, "outside"),
        ({"location": "..\\weights.bin"}, "outside"),
        ({"offset": "8"}, "past the end"),
        ({"offset": "-8"}, "past the end"),
        ({"offset": "eight"}, "not a number"),
        ({"length": "99999999"}, "past the end"),
        ({"length": "16"}, "its shape needs"),
    ],
)
def test_bad_external_data(tmp_path: Path, changes: dict[str, str], word: str) -> None:
    folder = tmp_path / "inside"
    folder.mkdir()
    (tmp_path / "weights.bin").write_bytes(b"\0" * 64 * 8 * 4)
    assert word in refusal(with_external(folder, **changes))


def test_external_data_through_a_symlink_out_of_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "inside"
    folder.mkdir()
    path = with_external(folder)
    (folder / "weights.bin").rename(tmp_path / "secret.bin")
    (folder / "weights.bin").symlink_to(tmp_path / "secret.bin")
    assert "outside" in refusal(path)


def test_external_data_of_a_constant_node_are_checked_too(tmp_path: Path) -> None:
    model = affine()
    constant = helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(np.zeros(4, np.float32)))
    constant.attribute[0].t.ClearField("raw_data")
    constant.attribute[0].t.data_location = TensorProto.EXTERNAL
    constant.attribute[0].t.external_data.add(key="location", value="/etc/hostname")
    model.graph.node.insert(0, constant)
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    assert "outside" in refusal(tmp_path / "m.onnx")


def test_large_models_are_written_beside(tmp_path: Path) -> None:
    model = affine(rows=512)
    write.write(model, tmp_path / "m.onnx", largest=1000)
    assert (tmp_path / "m.onnx").stat().st_size < 1000
    assert (tmp_path / "m.onnx.data").stat().st_size == 512 * 8 * 4
    assert model == affine(rows=512)
    assert load(tmp_path / "m.onnx") == model


def test_small_models_leave_nothing_beside(tmp_path: Path) -> None:
    write.write(affine(rows=512), tmp_path / "m.onnx", largest=1000)
    save(affine(), tmp_path / "m.onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]


def test_digest_covers_external_data(tmp_path: Path) -> None:
    path = with_external(tmp_path)
    first, size = digest(path)
    data = bytearray((tmp_path / "weights.bin").read_bytes())
    assert size == path.stat().st_size + len(data)
    data[0:4] = struct.pack("<f", 42.0)
    (tmp_path / "weights.bin").write_bytes(data)
    assert digest(path)[0] != first


def test_saving_where_nothing_can_be_written(tmp_path: Path) -> None:
    with pytest.raises(StorageRefused):
        save(affine(), tmp_path / "no" / "m.onnx")


def test_saving_to_a_full_disk() -> None:
    with pytest.raises(StorageRefused, match="no space left"):
        save(affine(), Path("/dev/full"))


def test_the_long_name_of_onnx_own_domain(tmp_path: Path) -> None:
    model = affine()
    model.opset_import[0].domain = model.graph.node[0].domain = "ai.onnx"
    model.opset_import.add(domain="other", version=2)
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    loaded = load(tmp_path / "model.onnx")
    assert [(entry.domain, entry.version) for entry in loaded.opset_import] == [("", 13), ("other", 2)]
    onnx.checker.check_model(loaded)


def holed(kind: str) -> onnx.ModelProto:
    """The model with a tensor that has a shape and no values."""
    model = affine()
    bare = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[64, 8])
    if kind == "initializer":
        model.graph.initializer[0].CopyFrom(bare)
    elif kind == "empty raw data":
        model.graph.initializer[0].raw_data = b""
    elif kind == "constant":
        del model.graph.initializer[:]
        model.graph.node.insert(0, helper.make_node("Constant", [], ["w"], value=bare))
    elif kind == "body":
        inner = helper.make_graph(
            [helper.make_node("Identity", ["w"], ["z"])], "b", [], [helper.make_tensor_value_info("z", 1, [64, 8])], [bare]
        )
        model.graph.initializer[0].name = "other"
        model.graph.node.insert(0, helper.make_node("If", ["yes"], ["w2"], then_branch=inner, else_branch=inner))
        model.graph.initializer.append(numpy_helper.from_array(np.array(True), "yes"))
        model.graph.node[1].input[1] = "w2"
    elif kind == "sparse":
        del model.graph.initializer[:]
        indices = TensorProto(name="at", data_type=TensorProto.INT64, dims=[3])
        values = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[3])
        model.graph.sparse_initializer.append(onnx.SparseTensorProto(values=values, indices=indices, dims=[64, 8]))
    elif kind == "function":
        constant = helper.make_node("Constant", [], ["k"], value=bare)
        times = helper.make_node("MatMul", ["a", "k"], ["b"])
        model.functions.append(helper.make_function("own", "Times", ["a"], ["b"], [constant, times], model.opset_import))
        model.opset_import.append(helper.make_opsetid("own", 1))
        model.graph.node[0].CopyFrom(helper.make_node("Times", ["x"], ["y"], domain="own"))
    return model


@pytest.mark.parametrize("kind", ["initializer", "empty raw data", "constant", "body", "sparse", "function"])
def test_a_file_without_its_weights_is_told_so(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(holed(kind).SerializeToString())
    said = refusal(path)
    assert "the weights are not in m.onnx" in said
    assert "with its weights" in said


def test_how_many_tensors_are_without_values_is_told(tmp_path: Path) -> None:
    model = holed("initializer")
    model.graph.initializer.append(TensorProto(name="v", data_type=TensorProto.FLOAT16, dims=[2]))
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    assert "tensor w and 1 more" in refusal(path)


@pytest.mark.parametrize(
    ("tensor", "word"),
    [
        (
            TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[64, 8], float_data=[1, 2]),
            "holds 2 numbers, its shape needs 512",
        ),
        (TensorProto(name="w", data_type=TensorProto.INT8, dims=[3], int32_data=[1]), "holds 1 numbers, its shape needs 3"),
        (TensorProto(name="w", dims=[2], raw_data=b"12345678"), "type 0, which is none"),
        (TensorProto(name="w", data_type=99, dims=[2], raw_data=b"12345678"), "type 99, which is none"),
        (TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[-2], raw_data=b"12345678"), "shape [-2]"),
    ],
)
def test_values_that_do_not_fit_their_shape_or_have_no_type(tensor: TensorProto, word: str, tmp_path: Path) -> None:
    model = affine()
    model.graph.initializer[0].CopyFrom(tensor)
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    assert word in refusal(path)


@pytest.mark.parametrize(
    "kind", [TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.INT64, TensorProto.INT4, TensorProto.COMPLEX64]
)
@pytest.mark.parametrize("dims", [[], [0], [5], [2, 3]])
def test_values_in_the_fields_for_numbers_are_read(kind: int, dims: list[int], tmp_path: Path) -> None:
    model = affine()
    count = int(np.prod(dims))
    model.graph.initializer.append(helper.make_tensor("more", kind, dims, [1] * count))
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    load(path)


def test_external_data_of_a_type_that_nobody_knows(tmp_path: Path) -> None:
    path = with_external(tmp_path)
    model = onnx.load(path, load_external_data=False)
    model.graph.initializer[0].data_type = 99
    path.write_bytes(model.SerializeToString())
    assert "nobody knows its type (99)" in refusal(path)


def test_what_local_functions_do_stands_in_place_of_their_calls(tmp_path: Path) -> None:
    model = affine()
    constant = helper.make_node("Constant", [], ["k"], value=numpy_helper.from_array(np.ones((64, 8), np.float32)))
    times = helper.make_node("MatMul", ["a", "k"], ["b"], name="product")
    model.functions.append(helper.make_function("own", "Times", ["a"], ["b"], [constant, times], model.opset_import))
    model.opset_import.append(helper.make_opsetid("own", 1))
    model.graph.node[0].CopyFrom(helper.make_node("Times", ["x"], ["y"], name="/head", domain="own"))
    path = tmp_path / "m.onnx"
    onnx.save(model, path)
    read, calls = load_with_calls(path)
    assert [node.op_type for node in read.graph.node] == ["Constant", "MatMul"]
    assert calls["/head"][0] == "Times"
    assert set(calls["/head"][1]) == {node.name for node in read.graph.node}
    assert all(node.name.startswith("/head/") for node in read.graph.node)


def test_what_a_function_holds_is_stored_once_however_often_it_is_called(tmp_path: Path) -> None:
    constant = helper.make_node("Constant", [], ["k"], value=numpy_helper.from_array(np.ones((8, 8), np.float32)))
    times = helper.make_node("MatMul", ["a", "k"], ["b"])
    imports = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    graph = helper.make_graph(
        [helper.make_node("Times", ["x"], ["h"], domain="own"), helper.make_node("Times", ["h"], ["y"], domain="own")],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 8])],
    )
    function = helper.make_function("own", "Times", ["a"], ["b"], [constant, times], imports[:1])
    onnx.save(helper.make_model(graph, opset_imports=imports, ir_version=8, functions=[function]), tmp_path / "m.onnx")
    read = load(tmp_path / "m.onnx")
    assert [node.op_type for node in read.graph.node] == ["Constant", "MatMul", "MatMul"]
    assert read.graph.node[1].input[1] == read.graph.node[2].input[1] == read.graph.node[0].output[0]


def test_an_element_type_that_is_none_is_refused(tmp_path: Path) -> None:
    model = affine()
    model.graph.input[0].type.tensor_type.elem_type = 41
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ModelRefused, match="has the element type 41, which is none"):
        load(tmp_path / "m.onnx")


def test_the_rule_of_two_plans_is_no_model_and_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / RULE).write_text('{"narrow": "plan.onnx", "wide": "plan-wide.onnx", "threshold": 0.5}')
    with pytest.raises(ModelRefused, match="the rule of two plans, and no model") as caught:
        load(tmp_path / RULE)
    assert "--recipe adaptive" in caught.value.fix
