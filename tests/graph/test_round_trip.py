"""Load and save keep everything, in the same bytes every time."""

import importlib
import os
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from qonnx_tools.errors import ModelError
from qonnx_tools.graph import clean_up, from_proto, load, parse, save, take_over_output, to_proto

FULL = """
<ir_version: 9, opset_import: ["" : 18, "local" : 3],
 producer_name: "maker", producer_version: "1.2", domain: "some.domain", model_version: 7,
 doc_string: "about the model", metadata_props: ["zeta" : "1", "alpha" : "two"]>
the_graph (float[batch, 3, 8, 8] x, int64[2] unused, float[1] plain) => (float[batch, 4, 8, 8] y, float[1] plain)
<float[4, 3, 3, 3] w, float[4] b, int64 count = {3}, float x_scale = {0.5}, float[1] table = {1.5}>
{
    [conv] a = Conv <pads = [1, 1, 1, 1]> (x, w, b)
    [clip] c = Clip (a, , x_scale)
    [twice] y = local.Twice <by = 2.5> (c)
}
<domain: "local", opset_import: ["" : 18]>
Twice <by> (p) => (q) { f = Constant <value_float : float = @by> () q = Mul (p, f) }
"""


def full_model() -> onnx.ModelProto:
    proto = parse(FULL)
    for tensor in proto.graph.initializer:
        tensor.doc_string = f"about {tensor.name}"
    graph = proto.graph
    graph.doc_string = "about the graph"
    graph.metadata_props.add(key="graph", value="data")
    for node in graph.node:
        node.doc_string = f"about {node.name}"
        node.metadata_props.add(key="origin", value=f"layer of {node.name}")
    for value in [*graph.input, *graph.output]:
        value.doc_string = f"about {value.name}"
    graph.input[0].type.denotation = "IMAGE"
    graph.input[0].type.tensor_type.shape.dim[0].denotation = "DATA_BATCH"
    inner = onnx.helper.make_tensor_value_info("a", onnx.TensorProto.FLOAT, ["stale", 4, 8, 8], "about a")
    graph.value_info.append(inner)
    note = graph.quantization_annotation.add(tensor_name="w")
    note.quant_parameter_tensor_names.add(key="SCALE_TENSOR", value="x_scale")
    other = graph.quantization_annotation.add(tensor_name="a")
    other.quant_parameter_tensor_names.add(key="SCALE_TENSOR", value="table")
    return proto


def test_everything_comes_through(tmp_path):
    before = full_model()
    save(from_proto(before), tmp_path / "a.onnx")
    save(load(tmp_path / "a.onnx"), tmp_path / "b.onnx")
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()
    after = onnx.load(tmp_path / "b.onnx")
    for field in ("ir_version", "producer_name", "producer_version", "domain", "model_version", "doc_string"):
        assert getattr(after, field) == getattr(before, field), field
    assert list(after.opset_import) == list(before.opset_import)
    assert list(after.metadata_props) == list(before.metadata_props)
    assert list(after.functions) == list(before.functions)
    for field in ("name", "doc_string"):
        assert getattr(after.graph, field) == getattr(before.graph, field)
    for field in ("metadata_props", "quantization_annotation", "input", "output", "node"):
        assert list(getattr(after.graph, field)) == list(getattr(before.graph, field)), field
    stored = {tensor.name: tensor for tensor in after.graph.initializer}
    assert set(stored) == {"w", "b", "x_scale", "table"}, "only the initializer that nothing names is dropped"
    for tensor in before.graph.initializer:
        if tensor.name in stored:
            assert stored[tensor.name].doc_string == tensor.doc_string
            assert np.array_equal(onnx.numpy_helper.to_array(stored[tensor.name]), onnx.numpy_helper.to_array(tensor))
    inner = next(value for value in after.graph.value_info if value.name == "a")
    assert inner.doc_string == "about a"
    assert inner.type.tensor_type.shape.dim[0].dim_param == "batch", "a stale shape is inferred anew"


def test_annotation_goes_with_its_tensor():
    model = from_proto(full_model())
    conv, clip = model.graph.nodes[:2]
    take_over_output(conv, clip)
    clean_up(model.graph)
    after = to_proto(model).graph
    assert [note.tensor_name for note in after.quantization_annotation] == ["w"]
    assert {tensor.name for tensor in after.initializer} == {"w", "b", "x_scale"}


@pytest.mark.parametrize(("stated", "written"), [(4, 8), (9, 9), (10, 10), (13, 10)])
def test_ir_version(stated, written):
    proto = full_model()
    proto.ir_version = stated
    assert to_proto(from_proto(proto)).ir_version == written


def test_every_kind_of_attribute():
    text = """
    <ir_version: 8, opset_import: ["" : 17]> g (float[2, 3] x) => (float[2, 3] y, int64[0] none, float[3] many)
    {
        [leaky] y = LeakyRelu <alpha = 0.3> (x)
        [none] none = Constant <value_ints : ints = []> ()
        [many] many = Constant <value_floats = [0.1, 1.0, 3.0]> ()
    }
    """
    proto = parse(text)
    assert list(to_proto(from_proto(proto)).graph.node) == list(proto.graph.node)


@pytest.mark.parametrize("kind", ["BFLOAT16", "FLOAT8E4M3FN", "INT4", "UINT4", "FLOAT16", "UINT16", "BOOL", "STRING"])
def test_every_type_of_initializer(kind):
    number = onnx.TensorProto.DataType.Value(kind)
    values = [b"a", b"b"] if kind == "STRING" else [1, 0]
    tensor = onnx.helper.make_tensor("t", number, [2], values)
    node = onnx.helper.make_node("Identity", ["t"], ["y"], name="identity")
    output = onnx.helper.make_tensor_value_info("y", number, [2])
    opset = [onnx.helper.make_opsetid("", 21)]
    proto = onnx.helper.make_model(onnx.helper.make_graph([node], "g", [], [output], [tensor]), opset_imports=opset)
    proto.ir_version = 10
    after = to_proto(from_proto(proto)).graph
    assert after.initializer[0].data_type == number
    assert after.output[0].type.tensor_type.elem_type == number
    assert onnx.numpy_helper.to_array(after.initializer[0]).tolist() == onnx.numpy_helper.to_array(tensor).tolist()


def test_chain_of_twenty_thousand_nodes():
    count = 20_000
    chain = [onnx.helper.make_node("Relu", [f"t{i}"], [f"t{i + 1}"], name=f"n{i}") for i in range(count)]
    ends = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in ("t0", f"t{count}")]
    graph = onnx.helper.make_graph(chain, "chain", ends[:1], ends[1:])
    model = from_proto(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)]))
    model.graph.nodes.reverse()
    assert [node.name for node in to_proto(model).graph.node] == [f"n{i}" for i in range(count)]


def test_weights_beyond_the_limit_of_protobuf_go_to_a_file_of_their_own(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.import_module("qonnx_tools.graph.save"), "_PROTOBUF_LIMIT", 2000)
    proto = parse(
        """
        <ir_version: 8, opset_import: ["" : 17]> g (float[N, 16] x) => (float[N, 16] y)
        <float[16, 16] v, float[16, 20] w, float[20, 16] u> { a = MatMul (x, v) b = MatMul (a, w) y = MatMul (b, u) }
        """
    )
    save(from_proto(proto), tmp_path / "a.onnx")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.onnx", "a.onnx.data"]
    stored = onnx.load(tmp_path / "a.onnx", load_external_data=False).graph.initializer
    places = [{entry.key: entry.value for entry in tensor.external_data} for tensor in stored]
    assert [place.get("offset") for place in places] == ["0", "4096", "8192"]
    assert list(to_proto(load(tmp_path / "a.onnx")).graph.initializer) == list(
        to_proto(from_proto(proto)).graph.initializer
    )


def test_unwritable_output(tmp_path):
    model = from_proto(full_model())
    with pytest.raises(ModelError, match=r"no/where\.onnx: cannot be written: No such file or directory"):
        save(model, tmp_path / "no" / "where.onnx")
    with pytest.raises(ModelError, match="Is a directory"):
        save(model, tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("external", [False, True])
def test_interrupted_save_leaves_the_former_file(tmp_path, monkeypatch, external):
    file = tmp_path / "a.onnx"
    file.write_bytes(b"former")

    def interrupted(self, content):
        with open(self, "wb") as stream:  # noqa: PTH123  # write_bytes itself is replaced
            stream.write(content[:10])
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", interrupted)
    with pytest.raises(KeyboardInterrupt):
        save(from_proto(full_model()), file, external_data=external)
    assert [path.name for path in tmp_path.iterdir()] == ["a.onnx"]
    assert file.read_bytes() == b"former"


def test_written_file_follows_the_umask(tmp_path):
    former = os.umask(0o022)
    try:
        save(from_proto(full_model()), tmp_path / "a.onnx")
    finally:
        os.umask(former)
    assert (tmp_path / "a.onnx").stat().st_mode & 0o777 == 0o644


def test_invalid_graph_is_not_written(tmp_path):
    model = from_proto(full_model())
    model.graph.nodes[0].attrs["padding"] = [1]
    with pytest.raises(ModelError, match="padding"):
        save(model, tmp_path / "a.onnx")
    assert list(tmp_path.iterdir()) == []


def unoptimized(model: str | bytes) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 2
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options)


REAL = [
    *("cnn6_fashion_mnist", "mlperf_tiny_resnet8_cifar10", "mnist8_onnxzoo", "mobilenet_v1_075_imagenet"),
    *("resnet20_cifar10", "resnet32_cifar10", "squeezenet11_imagenet", "yolox_nano_coco"),
]


@pytest.mark.parametrize("name", REAL)
def test_real_models(assets, tmp_path, name):
    file = assets / "models" / f"{name}.onnx"
    before = onnx.load(file)
    model = load(file)
    save(model, tmp_path / "a.onnx")
    save(load(tmp_path / "a.onnx"), tmp_path / "b.onnx")
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()
    after = onnx.load(tmp_path / "b.onnx")
    assert [node.output for node in after.graph.node] == [node.output for node in before.graph.node]
    assert [node.input for node in after.graph.node] == [node.input for node in before.graph.node]
    assert list(after.graph.output) == list(before.graph.output)
    assert {t.name: t.raw_data for t in after.graph.initializer} == {
        t.name: onnx.numpy_helper.to_array(t).tobytes() for t in before.graph.initializer
    }
    first, second = unoptimized(str(file)), unoptimized(str(tmp_path / "b.onnx"))
    entry = second.get_inputs()[0]
    shape = [size if isinstance(size, int) else 2 for size in entry.shape]
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    for expected, got in zip(first.run(None, {entry.name: x}), second.run(None, {entry.name: x}), strict=True):
        assert np.array_equal(expected, got)
