"""Loading: every malformed file is one clear line, and what is well formed comes in whole."""

import numpy as np
import onnx
import pytest

from qonnx_tools.errors import ModelError, QonnxToolsError, UnsupportedError
from qonnx_tools.graph import constant_value, from_proto, load, parse, save, to_proto

TWO_LAYERS = """
<ir_version: 8, opset_import: ["" : 17]>
two_layers (float[N, 3, 8, 8] x) => (float[N, 4, 8, 8] y)
<float[4, 3, 3, 3] w, float[4] b>
{
    [first] a = Conv <pads = [1, 1, 1, 1]> (x, w, b)
    [second] y = Relu (a)
}
"""


def refuses(proto: onnx.ModelProto, *words: str, error: type[Exception] = ModelError) -> None:
    with pytest.raises(error) as caught:
        from_proto(proto)
    message = str(caught.value)
    assert all(word in message for word in words), message
    assert "\n" not in message


def test_missing_file(tmp_path):
    with pytest.raises(ModelError, match=r"none\.onnx: no such file"):
        load(tmp_path / "none.onnx")


def test_directory(tmp_path):
    with pytest.raises(ModelError, match="is a directory, not an ONNX file"):
        load(tmp_path)


@pytest.mark.parametrize("content", [b"hello, I am a text\n", b"\x89PNG\r\n\x1a\n" + bytes(50), b"PK\x03\x04zip"])
def test_not_onnx(tmp_path, content):
    file = tmp_path / "a.onnx"
    file.write_bytes(content)
    with pytest.raises(ModelError, match=r"a\.onnx: not an ONNX file"):
        load(file)


def test_empty_file(tmp_path):
    file = tmp_path / "a.onnx"
    file.touch()
    with pytest.raises(ModelError, match="the file is empty"):
        load(file)


def test_truncated_anywhere(tmp_path):
    whole = parse(TWO_LAYERS).SerializeToString()
    file = tmp_path / "a.onnx"
    for length in range(1, len(whole) - 1, 7):
        file.write_bytes(whole[:length])
        with pytest.raises(ModelError, match=r"a\.onnx: "):
            load(file)
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match="truncated or damaged"):
        load(file)


def test_damaged_bytes_are_refused_or_read(tmp_path, random):
    """Whatever bytes are wrong: either a model comes out, or one line of an error made on purpose."""
    whole = parse(LOCAL).SerializeToString() + parse(TWO_LAYERS).SerializeToString()
    file = tmp_path / "a.onnx"
    messages = []
    for _ in range(400):
        content = bytearray(whole)
        for place in random.integers(len(whole), size=3):
            content[place] = random.integers(256)
        file.write_bytes(content)
        try:
            to_proto(load(file))
        except QonnxToolsError as error:
            messages.append(str(error))
    assert len(messages) > 100
    assert not any("\n" in message for message in messages)


def test_empty_graph():
    refuses(onnx.ModelProto(ir_version=8, opset_import=[onnx.helper.make_opsetid("", 17)]), "empty graph")


@pytest.fixture
def external(tmp_path):
    big = parse(
        """
        <ir_version: 8, opset_import: ["" : 17]> g (float[N, 64] x) => (float[N, 64] y)
        <float[64, 64] w> { y = MatMul (x, w) }
        """,
        w=np.linspace(-1, 1, 4096, dtype=np.float32).reshape(64, 64),
    )
    save(from_proto(big), tmp_path / "big.onnx", external_data=True)
    return tmp_path


def test_external_data(external):
    assert (external / "big.onnx").stat().st_size < 1000
    assert (external / "big.onnx.data").stat().st_size == 64 * 64 * 4
    weight = load(external / "big.onnx").graph.nodes[0].inputs[1]
    assert np.array_equal(constant_value(weight).ravel(), np.linspace(-1, 1, 4096, dtype=np.float32))
    onnx.checker.check_model(str(external / "big.onnx"))


def test_missing_external_data(external):
    (external / "big.onnx.data").unlink()
    with pytest.raises(ModelError, match=r"big\.onnx: external data file '.*big\.onnx\.data' of initializer 'w'"):
        load(external / "big.onnx")


def test_truncated_external_data(external):
    (external / "big.onnx.data").write_bytes(b"123")
    with pytest.raises(ModelError, match=r"'.*data' is truncated: initializer 'w' needs 16384 bytes, the file has 3"):
        load(external / "big.onnx")


def test_external_data_outside_the_folder(external):
    proto = onnx.load(external / "big.onnx", load_external_data=False)
    proto.graph.initializer[0].external_data[0].value = "../big.onnx.data"
    (external / "sub").mkdir()
    onnx.save(proto, external / "sub" / "big.onnx")
    with pytest.raises(ModelError, match="initializer 'w'"):
        load(external / "sub" / "big.onnx")


def test_unknown_op():
    text = TWO_LAYERS.replace("Relu", "Rolu")
    refuses(parse(text), "node 'second'", "unknown op Rolu (opset 17)")


def test_op_newer_than_the_opset():
    refuses(parse(TWO_LAYERS.replace("Relu", "Gelu")), "node 'second'", "unknown op Gelu (opset 17)")


def test_unknown_domain():
    text = TWO_LAYERS.replace("Relu", "my.domain.Relu").replace('["" : 17]', '["" : 17, "my.domain" : 2]')
    refuses(parse(text), "node 'second'", "unknown op my.domain::Relu")


def test_opset_from_the_future():
    refuses(parse(TWO_LAYERS.replace("17", "999")), "opset 999", "update onnx")


@pytest.mark.parametrize(("bad", "word"), [(np.nan, "NaN"), (np.inf, "infinite"), (-np.inf, "infinite")])
def test_weights_that_are_not_finite(bad, word):
    weight = np.zeros((4, 3, 3, 3), np.float32)
    weight[1, 2] = bad
    refuses(parse(TWO_LAYERS, w=weight), "'w'", f"{word} values (9 of 108)")


def test_infinite_clip_bound_is_no_error():
    text = """
    <ir_version: 8, opset_import: ["" : 17]> g (float[N] x) => (float[N] y)
    <float low = {0.0}, float high> { y = Clip (x, low, high) }
    """
    from_proto(parse(text, high=np.array(np.inf, np.float32)))
    refuses(parse(text, high=np.array(np.nan, np.float32)), "'high'", "NaN")


def test_duplicate_node_name():
    refuses(parse(TWO_LAYERS.replace("second", "first")), "duplicate node name 'first'")


def test_duplicate_tensor():
    refuses(parse(TWO_LAYERS.replace("a = Conv", "y = Conv").replace("(a)", "(x)")), "duplicate tensor 'y'")


def test_tensor_from_nowhere():
    refuses(parse(TWO_LAYERS.replace("(a)", "(nothing)")), "'second'", "'nothing', which nothing provides")


def test_output_from_nowhere():
    refuses(parse(TWO_LAYERS.replace("y = Relu", "z = Relu")), "graph output 'y' is computed by no node")


def test_checker_error_is_one_line():
    refuses(parse(TWO_LAYERS.replace("pads =", "padding =")), "not valid ONNX", "padding")


def test_cycle():
    proto = parse(
        '<ir_version: 8, opset_import: ["" : 17]> g (float[N] x) => (float[N] y)'
        "{ a = Add (x, b) b = Relu (a) y = Relu (b) }"
    )
    refuses(proto, "")


def test_subgraph():
    text = """
    <ir_version: 8, opset_import: ["" : 17]> g (bool c, float[N] x) => (float[N] y)
    { [choice] y = If (c) <then_branch = one () => (float[N] o) { o = Relu (x) },
                           else_branch = two () => (float[N] p) { p = Neg (x) }> }
    """
    refuses(parse(text), "node 'choice'", "subgraph", "then_branch", error=UnsupportedError)


LOCAL = """
<ir_version: 10, opset_import: ["" : 17, "local" : 1]> g (float[N] x) => (float[N] y) { y = local.Twice (x) }
<domain: "local", opset_import: ["" : 17]> Twice (p) => (q) { [inside] q = Add (p, p) }
"""


def test_unknown_op_in_a_local_function():
    from_proto(parse(LOCAL))
    refuses(parse(LOCAL.replace("Add", "Odd")), "node 'Twice/inside'", "unknown op Odd")


def test_overloaded_functions():
    proto = parse(LOCAL)
    proto.functions.append(proto.functions[0])
    proto.functions[1].overload = "other"
    refuses(proto, "duplicate local function 'local::Twice'")


def test_output_that_is_an_initializer():
    header = '<ir_version: 8, opset_import: ["" : 17]>'
    text = f"{header} g (float[2] x) => (float[2] y, float[2] w) <float[2] w> {{ y = Relu (x) }}"
    out = to_proto(from_proto(parse(text)))
    assert [tensor.name for tensor in out.graph.initializer] == ["w"]


def test_string_that_is_not_utf8():
    proto = parse(TWO_LAYERS)
    proto.graph.node[0].attribute.append(onnx.helper.make_attribute("auto_pad", b"\xff\xfe"))
    refuses(proto, "a name or text is not UTF-8")


def test_sparse_initializer():
    proto = parse(TWO_LAYERS)
    values = onnx.numpy_helper.from_array(np.ones(1, np.float32), "s")
    indices = onnx.numpy_helper.from_array(np.zeros(1, np.int64), "s_indices")
    proto.graph.sparse_initializer.append(onnx.helper.make_sparse_tensor(values, indices, [4]))
    refuses(proto, "sparse initializer 's'")


def test_old_opset_with_initializers_as_inputs():
    text = """
    <ir_version: 3, opset_import: ["" : 8]>
    g (float[N, 3] x, float[3, 2] w) => (float[N, 2] y)
    <float[3, 2] w>
    { [product] a = MatMul (x, w) [drop] y = Dropout <ratio = 0.5> (a) }
    """
    proto = parse(text)
    proto.graph.node[0].doc_string = "kept"
    proto.graph.node[0].metadata_props.add(key="also", value="kept")
    model = from_proto(proto)
    out = to_proto(model)
    assert [value.name for value in out.graph.input] == ["x"]
    assert (model.opset, out.ir_version) == (17, 8)
    assert [node.name for node in out.graph.node if node.op_type != "Constant"] == ["product", "drop"]
    assert out.graph.node[0].doc_string == "kept"
    assert out.graph.node[0].metadata_props[0].value == "kept"
    x = np.ones((2, 3), np.float32)
    expected = x @ onnx.numpy_helper.to_array(proto.graph.initializer[0])
    assert np.allclose(onnx.reference.ReferenceEvaluator(out).run(None, {"x": x})[0], expected)


def test_unnamed_nodes_get_names():
    text = TWO_LAYERS.replace("[first]", "").replace("[second]", "")
    assert [node.name for node in from_proto(parse(text)).graph.nodes] == ["Conv_0", "Relu_1"]


def test_the_given_proto_stays_as_it_is():
    proto = parse(TWO_LAYERS.replace("[first]", ""))
    before = proto.SerializeToString(deterministic=True)
    from_proto(proto)
    assert proto.SerializeToString(deterministic=True) == before
