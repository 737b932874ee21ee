"""The small tools that passes edit with."""

import numpy as np
import pytest

from qonnx_tools.graph import (
    constant_value,
    consumers,
    from_proto,
    gs,
    input_value,
    insert_after,
    is_constant,
    is_given,
    nodes,
    op_of,
    parse,
    producer,
    replace_input,
    set_constant,
    sole_consumer,
    to_proto,
    unique_name,
)

TEXT = """
<ir_version: 8, opset_import: ["" : 17]> g (float[N, 3, 4, 4] x) => (float[N, 2, 4, 4] y, float[N, 2, 4, 4] z)
<float[2, 3, 1, 1] w, float high>
{
    [first] a = Conv (x, w)
    [second] y = Clip (a, , high)
    [third] b = Conv (x, w)
    [fourth] z = Add (b, b)
}
"""


@pytest.fixture
def graph():
    return from_proto(parse(TEXT)).graph


def by_name(graph):
    return {node.name: node for node in graph.nodes}


def test_reading(graph):
    found = by_name(graph)
    assert [node.name for node in nodes(graph, "Conv", "Add")] == ["first", "third", "fourth"]
    assert op_of(found["first"]) == "Conv"
    assert sole_consumer(found["first"].outputs[0]) is found["second"]
    assert sole_consumer(found["second"].outputs[0]) is None, "a graph output"
    assert sole_consumer(found["third"].outputs[0]) is None, "read twice"
    assert consumers(found["third"].outputs[0]) == [found["fourth"]]
    assert producer(found["second"].inputs[0]) is found["first"]
    assert producer(graph.inputs[0]) is None
    assert [is_given(found["second"], index) for index in range(4)] == [True, False, True, False]
    assert input_value(found["second"], 1) is None
    assert input_value(found["first"], 1).shape == (2, 3, 1, 1)
    assert is_constant(found["first"].inputs[1])
    assert not is_constant(*found["first"].inputs)


def test_shared_constant_is_copied(graph):
    found = by_name(graph)
    former = constant_value(found["third"].inputs[1]).copy()
    new = set_constant(graph, found["first"], 1, np.zeros_like(former), "unused")
    assert new.name == "w_2"
    assert np.array_equal(constant_value(found["third"].inputs[1]), former)
    again = set_constant(graph, found["first"], 1, np.ones_like(former), "unused")
    assert again is new
    assert constant_value(again).all()


def test_set_constant_fills_left_out_inputs(graph):
    node = by_name(graph)["second"]
    node.inputs = [node.inputs[0]]
    set_constant(graph, node, 2, np.array(6, np.float32), "bound")
    assert [tensor.name for tensor in node.inputs] == ["a", "", "bound"]


def test_replace_input_replaces_every_reading(graph):
    node = by_name(graph)["fourth"]
    old = node.inputs[0]
    replace_input(node, old, graph.inputs[0])
    assert all(tensor is graph.inputs[0] for tensor in node.inputs)
    assert len(old.outputs) == 0


def test_insert_after(graph):
    found = by_name(graph)
    insert_after(graph, found["first"].outputs[0], gs.Node("Relu", "inner"))
    assert found["second"].inputs[0].name == "a.Relu"
    insert_after(graph, graph.outputs[1], gs.Node("Relu", "last"))
    assert [tensor.name for tensor in found["fourth"].outputs] == ["z.Relu.input"]
    insert_after(graph, graph.inputs[0], gs.Node("Relu", "input"))
    model = from_proto(parse(TEXT))
    model.graph = graph
    written = {node.name: (list(node.input), list(node.output)) for node in to_proto(model).graph.node}
    assert written["input"] == (["x"], ["x.Relu"])
    assert written["first"] == (["x.Relu", "w"], ["a"])
    assert written["inner"] == (["a"], ["a.Relu"])
    assert written["last"] == (["z.Relu.input"], ["z"])


def test_unique_name(graph):
    assert unique_name(graph, "fresh") == "fresh"
    assert unique_name(graph, "a") == "a_2"
    assert unique_name(graph, "first", taken={"first_2"}) == "first_3"


def test_parse_says_where():
    with pytest.raises(Exception, match=r"the text is not a model: .*line: 1"):
        parse("<ir_version 8> g () => ()")
