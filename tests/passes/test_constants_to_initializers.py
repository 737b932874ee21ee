import numpy as np
import onnx

from qonnx_tools.passes.constants_to_initializers import ConstantsToInitializers


def test_every_form_of_constant(try_pass):
    tried = try_pass(
        ConstantsToInitializers(),
        """
        g (float[N, 2] x) => (float[N, 2] y, int64 n)
        {
            [a] a = Constant <value = float[2] {1.5, -2}> ()
            [b] b = Constant <value_float = 0.1> ()
            [c] c = Constant <value_floats = [3.0, 4.0]> ()
            [d] d = Constant <value_int = 7> ()
            [e] e = Constant <value_ints = [-1, 2]> ()
            p = Add (x, a)
            q = Mul (p, b)
            r = Sub (q, c)
            y = Reshape (r, e)
            n = Size (d)
        }
        """,
    )
    assert tried.fired == ["a", "b", "c", "d", "e"]
    assert tried.ops == ["Add", "Mul", "Sub", "Reshape", "Size"]
    assert tried.value("b").shape == ()
    assert tried.value("b") == np.float32(0.1)
    assert tried.value("d").dtype == np.int64
    assert tried.value("e").tolist() == [-1, 2]


def test_keeps_a_graph_output(try_pass):
    tried = try_pass(ConstantsToInitializers(), "g () => (float y) { [c] y = Constant <value_float = 2.0> () }")
    assert tried.reasons == {"c": "is a graph output"}
    assert tried.ops == ["Constant"]


def test_tensor_attribute_without_a_name(attempt):
    value = onnx.numpy_helper.from_array(np.ones(3, np.float32))
    constant = onnx.helper.make_node("Constant", [], ["c"], name="c", value=value)
    add = onnx.helper.make_node("Add", ["x", "c"], ["y"], name="add")
    ends = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [3]) for name in "xy"]
    graph = onnx.helper.make_graph([constant, add], "g", ends[:1], ends[1:])
    opset = [onnx.helper.make_opsetid("", 17)]
    assert attempt(ConstantsToInitializers(), onnx.helper.make_model(graph, opset_imports=opset)).fired == ["c"]
