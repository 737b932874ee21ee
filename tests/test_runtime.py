"""Sessions: the library's kernels are used, folding weights changes no bit, and what onnxruntime refuses is said."""

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from qonnx_tools.conversion import convert
from qonnx_tools.errors import ModelError
from qonnx_tools.graph import load, parse, save, to_proto
from qonnx_tools.runtime import fold_constant_quantizers, library_path, run, session

HEAD = '<ir_version: 8, opset_import: ["" : 17, "qonnx_tools.ops" : 1]> '
QUANTIZED = (
    HEAD
    + """g (float[N, 3] x) => (float[N, 2] y)
<float[3, 2] w, int64 f = {3}, int64[1, 2] k = {4, 5}>
{
  [of_input] a = qonnx_tools.ops.FixedQuant <bits = 6> (x, f)
  [of_weights] b = qonnx_tools.ops.FixedQuant <bits = 4, rounding = 3> (w, k)
  [gemm] y = Gemm (a, b)
}
"""
)


@pytest.fixture(scope="module")
def converted(digits_model, digits_data):
    calibration = {"data": digits_data["calibration"], "images": 20}
    return {
        scheme: to_proto(convert(digits_model, scheme=scheme, target="simulation", **calibration).model)
        for scheme in ("fixed", "log")
    }


@pytest.fixture(scope="module")
def images(digits_data):
    return np.load(digits_data["test"])["images"][:40].transpose(0, 3, 1, 2).astype(np.float32)


def plain(proto: onnx.ModelProto, *, library: bool = False, optimize: bool = True) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if library:
        options.register_custom_ops_library(str(library_path()))
    if not optimize:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(proto.SerializeToString(), options)


@pytest.mark.parametrize("scheme", ["fixed", "log"])
def test_folded_library_and_bodies_agree_to_the_bit(converted, images, scheme):
    proto = converted[scheme]
    folded = onnx.ModelProto()
    folded.CopyFrom(proto)
    layers = sum(len(node.input) > 1 and node.op_type in ("Conv", "Gemm") for node in proto.graph.node)
    assert fold_constant_quantizers(folded) == 2 * layers == 20
    results = [
        plain(model, library=library, optimize=False).run(None, {"input": images})[0]
        for model, library in ((folded, True), (proto, True), (proto, False), (folded, False))
    ]
    results.append(session(proto, optimize=False).run(None, {"input": images})[0])
    for other in results[1:]:
        np.testing.assert_array_equal(results[0], other)
    optimized = [session(proto), session(proto, threads=1), plain(proto, library=True)]
    for each in optimized:  # additions in another order, which now and then take an activation across a tie
        apart = np.abs(each.run(None, {"input": images})[0] - results[0])
        assert apart.max() < 0.2
        assert (apart <= 1e-2).mean() > 0.95


def test_folded_weights_are_those_of_the_format(converted):
    proto = onnx.ModelProto()
    proto.CopyFrom(converted["fixed"])
    fold_constant_quantizers(proto)
    stored = {tensor.name: numpy_helper.to_array(tensor) for tensor in proto.graph.initializer}
    codes = stored["classifier.weight.quantized"] * 2.0**20
    assert np.array_equal(codes, np.round(codes))
    assert "classifier.weight" not in stored, "what nothing reads any more is dropped"


def test_session_uses_the_kernel_not_the_body(images, converted):
    """With bodies that give zero, the session gives what it did: its nodes ran in the library."""
    broken = onnx.ModelProto()
    broken.CopyFrom(converted["fixed"])
    for function in broken.functions:
        results = list(function.output)
        for node in function.node:
            for index, name in enumerate(node.output):
                if name in results:
                    node.output[index] = f"{name}_unread"
                    zero = onnx.helper.make_node("Sub", [f"{name}_unread", f"{name}_unread"], [name])
        function.node.append(zero)
    assert not plain(broken).run(None, {"input": images})[0].any(), "the bodies are broken"
    expected = session(converted["fixed"]).run(None, {"input": images})[0]
    np.testing.assert_array_equal(session(broken).run(None, {"input": images})[0], expected)
    assert expected.any()


def test_outputs_are_added_to_those_of_the_model():
    runner = session(parse(QUANTIZED), outputs=["a", "y", "b"])
    assert [entry.name for entry in runner.get_outputs()] == ["y", "a", "b"]
    x = np.float32([[0.3, -9, 1]])
    _, a, b = runner.run(None, {"x": x})
    np.testing.assert_array_equal(a, np.float32([[0.25, -4, 1]]))
    w = numpy_helper.to_array(parse(QUANTIZED).graph.initializer[-1])
    assert b.shape == w.shape == (3, 2)


def test_sources(tmp_path, digits_model):
    file = tmp_path / "m.onnx"
    save(load(digits_model), file)
    x = np.zeros((1, 1, 8, 8), np.float32)
    results = [
        session(source).run(None, {"input": x})[0] for source in (file, str(file), load(file), onnx.load_model(file))
    ]
    for result in results[1:]:
        np.testing.assert_array_equal(results[0], result)


def test_the_model_given_stays_as_it_is():
    proto = parse(QUANTIZED)
    before = proto.SerializeToString(deterministic=True)
    session(proto, outputs=["a"])
    assert proto.SerializeToString(deterministic=True) == before


def test_an_initializer_that_is_also_an_input_is_a_default_and_stays():
    proto = parse(QUANTIZED)
    proto.graph.input.append(onnx.helper.make_tensor_value_info("w", onnx.TensorProto.FLOAT, [3, 2]))
    runner = session(proto)
    x = np.eye(3, dtype=np.float32)
    given = runner.run(None, {"x": x, "w": np.ones((3, 2), np.float32)})[0]
    assert not np.array_equal(given, runner.run(None, {"x": x})[0])


def test_a_constant_that_is_a_result():
    text = HEAD + "g (float[2] x) => (float[2] y, float[2] q) <float[2] w = {0.3, 9}, int64 f = {1}> "
    text += "{ y = Relu (x) q = qonnx_tools.ops.FixedQuant <bits = 3> (w, f) }"
    x = np.zeros(2, np.float32)
    np.testing.assert_array_equal(session(parse(text)).run(None, {"x": x})[1], np.float32([0.5, 1.5]))


def test_quantizers_of_quantized_constants_are_folded_too():
    text = HEAD + "g (float[2] x) => (float[2] y) <float[2] w = {0.3, 9}, int64 f = {1}, int64 k = {0}> "
    text += "{ q = qonnx_tools.ops.FixedQuant <bits = 3> (w, f) r = qonnx_tools.ops.FixedQuant <bits = 3> (q, k) "
    proto = parse(text + "y = Add (x, r) }")
    assert fold_constant_quantizers(proto) == 2
    assert [node.op_type for node in proto.graph.node] == ["Add"]
    np.testing.assert_array_equal(session(proto).run(None, {"x": np.zeros(2, np.float32)})[0], np.float32([0, 2]))


def test_threads():
    proto = parse(QUANTIZED)
    assert session(proto, threads=1).get_session_options().intra_op_num_threads == 1
    assert session(proto).get_session_options().intra_op_num_threads == 0


def test_what_onnxruntime_refuses_is_a_model_error(tmp_path):
    with pytest.raises(ModelError, match=r"no such file"):
        session(tmp_path / "none.onnx")
    with pytest.raises(ModelError, match=r"onnxruntime refuses the model: .*nothing_of_this_name"):
        session(parse(QUANTIZED), outputs=["nothing_of_this_name"])


def test_a_package_without_the_library(monkeypatch, tmp_path):
    monkeypatch.setattr("qonnx_tools.__path__", [str(tmp_path)])
    with pytest.raises(ModelError, match=r"libqonnx_tools_ops.so is not installed .* run `pip install .`"):
        library_path()


def fixed_batch(size: int) -> onnxruntime.InferenceSession:
    text = (
        '<ir_version: 8, opset_import: ["" : 17]> g (float[{n}, 2] x) => (float[{n}, 2] y, float s, float[1, {n}, 2] z)'
    )
    text += "<int64[1] a = {{0}}> {{ y = Neg (x) s = ReduceSum <keepdims = 0> (x) z = Unsqueeze (x, a) }}"
    return session(parse(text.format(n=size)))


@pytest.mark.parametrize("count", [1, 3, 4, 5, 8, 11])
def test_images_are_run_in_the_batches_of_the_model(count):
    x = np.arange(2 * count, dtype=np.float32).reshape(count, 2)
    (y,) = run(fixed_batch(4), x, ["y"])
    np.testing.assert_array_equal(y, -x)


def test_a_short_batch_is_filled_with_its_last_image():
    y, total, z = run(fixed_batch(4), np.float32([[1, 2], [3, 4]]))
    np.testing.assert_array_equal(y, np.float32([[-1, -2], [-3, -4]]))
    assert total == 3 + 7 * 3
    assert z.shape == (1, 4, 2), "only a first dimension of the batch size is cut"


def test_images_of_another_shape():
    with pytest.raises(ModelError, match=r"onnxruntime fails on the images: .*Got: 3 Expected: 2"):
        run(fixed_batch(4), np.zeros((4, 3), np.float32))
