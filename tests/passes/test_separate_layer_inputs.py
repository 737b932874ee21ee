from qonnx_tools.passes.separate_layer_inputs import SeparateLayerInputs, separated

RESIDUAL = """
g (float[N, 4, 6, 6] x) => (float[N, 4, 3, 3] y)
<float[4, 4, 3, 3] w, float[4, 4, 3, 3] v, float[4, 4, 1, 1] u>
{
    [first] a = Conv <pads = [1, 1, 1, 1]> (x, w)
    b = Relu (a)
    [second] c = Conv <pads = [1, 1, 1, 1]> (b, v)
    d = Add (b, c)
    e = MaxPool <kernel_shape = [2, 2], strides = [2, 2]> (d)
    [last] f = Conv (e, u)
    [mean] m = Mul (e, f)
    y = Relu (m)
}
"""


def test_what_layers_and_others_read(try_pass):
    tried = try_pass(SeparateLayerInputs(), RESIDUAL)
    assert tried.fired == ["x.for_layers", "b.for_layers", "e.for_layers"]
    reads = {node.name: [tensor.name for tensor in node.inputs] for node in tried.model.graph.nodes}
    assert reads["first"][0] == "x.for_layers"
    assert reads["second"][0] == "b.for_layers"
    assert reads["last"][0] == "e.for_layers"
    assert reads["b.for_layers"] == ["b"]
    assert reads["mean"] == ["e", "f"]


def test_only_the_tensors_that_are_named(try_pass):
    assert try_pass(SeparateLayerInputs(frozenset({"b"})), RESIDUAL).fired == ["b.for_layers"]
    assert separated(["b.for_layers", "b", "w"]) == {"b"}


def test_what_moves_values_is_read_by_layers_with_them(try_pass):
    tried = try_pass(
        SeparateLayerInputs(),
        """
        g (float[N, 2, 4, 4] x, float[N, 2, 4, 4] z) => (float[N, 3, 4, 4] y, float[N, 2, 4, 4] r)
        <float[3, 4, 1, 1] w>
        {
            r = Relu (x)
            s = Sigmoid (z)
            c = Concat <axis = 1> (r, s)
            y = Conv (c, w)
        }
        """,
    )
    assert tried.fired == ["r.for_layers"], "r is a result of the graph, too"
    assert [tensor.name for tensor in tried.node("Concat_2").inputs] == ["r.for_layers", "s"]


def test_what_layers_alone_read_stays(try_pass):
    tried = try_pass(
        SeparateLayerInputs(),
        """
        g (float[N, 2, 4, 4] x) => (float[N, 2, 4, 4] y) <float[2, 2, 1, 1] w, float[2, 2, 1, 1] v>
        { s = Sigmoid (x) a = Conv (s, w) b = Conv (s, v) y = Add (a, b) }
        """,
    )
    assert tried.fired == []
