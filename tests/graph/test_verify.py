"""Verification names what a pass broke."""

import re
import sys

import numpy as np
import pytest

from qonnx_tools.errors import ModelError
from qonnx_tools.graph import Signature, clean_up, from_proto, gs, nodes, parse, topological_order, verify

TEXT = """
<ir_version: 8, opset_import: ["" : 17]> g (float[N, 4] x) => (float[N, 4] y)
{ [one] a = Relu (x) [two] b = Neg (a) [three] y = Add (a, b) }
"""


@pytest.fixture
def graph():
    return from_proto(parse(TEXT)).graph


def rename_output(graph):
    graph.outputs[0].name = "z"


def retype_input(graph):
    graph.inputs[0].dtype = np.dtype(np.float64)


def reshape_input(graph):
    graph.inputs[0].shape = [1, 4]


def unname_node(graph):
    graph.nodes[0].name = ""


def duplicate_node_name(graph):
    graph.nodes[0].name = "two"


def duplicate_tensor_name(graph):
    graph.nodes[0].outputs[0].name = "b"


def read_stranger(graph):
    graph.nodes[1].inputs = [gs.Variable("stranger")]


def read_a_removed_node(graph):
    graph.nodes.pop(0)


def two_sources(graph):
    graph.nodes.append(gs.Node("Relu", "four", inputs=[graph.inputs[0]], outputs=[graph.nodes[1].outputs[0]]))


def unknown_op(graph):
    graph.nodes[1].op = "Nog"


def cycle(graph):
    graph.nodes[0].inputs = [graph.nodes[2].outputs[0]]


def compute_the_input(graph):
    graph.nodes.append(gs.Node("Relu", "four", inputs=[graph.nodes[0].outputs[0]], outputs=[graph.inputs[0]]))


def compute_a_constant(graph):
    graph.nodes[0].outputs[0].to_constant(np.zeros(4, np.float32))


def swap_the_output(graph):
    graph.nodes[2].outputs = [gs.Variable("y", np.dtype(np.float32), ["N", 4])]
    graph.outputs = [graph.nodes[2].outputs[0]]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (rename_output, "outputs changed from y['N', 4] to z['N', 4]"),
        (retype_input, "inputs changed"),
        (reshape_input, "inputs changed from x['N', 4] to x[1, 4]"),
        (unname_node, "a Relu node has no name"),
        (duplicate_node_name, "two nodes share the name 'two'"),
        (duplicate_tensor_name, "another tensor has the same name"),
        (read_stranger, "node 'two' reads tensor 'stranger', which nothing provides"),
        (read_a_removed_node, "node 'two' reads tensor 'a', which nothing provides"),
        (two_sources, "tensor 'b' is computed by 2 nodes"),
        (unknown_op, "node 'two': unknown op Nog (opset 17)"),
        (cycle, "cycle"),
        (compute_the_input, "node 'four' computes the graph input 'x'"),
        (compute_a_constant, "node 'one' computes the initializer 'a'"),
        (swap_the_output, "graph output 'y' was replaced by another tensor object"),
    ],
)
def test_names_the_defect(graph, spoil, message):
    before = Signature.of(graph)
    verify(graph, before=before)
    spoil(graph)
    with pytest.raises(ModelError, match=re.escape(message)):
        verify(graph, before=before)


def long_chain(count):
    x = gs.Variable("t0", np.dtype(np.float32), [1])
    graph = gs.Graph(inputs=[x], outputs=[], opset=17)
    for index in range(count):
        y = gs.Variable(f"t{index + 1}", np.dtype(np.float32), [1])
        graph.nodes.append(gs.Node("Relu", f"n{index}", inputs=[x], outputs=[y]))
        x = y
    graph.outputs = [x]
    list(nodes(graph, "Nothing"))  # marks the outputs
    return graph


def test_the_work_grows_with_the_nodes():
    """Counted in lines of Python executed, which no other load on the machine changes."""

    def lines(count):
        graph, seen = long_chain(count), 0

        def trace(_frame, event, _argument):
            nonlocal seen
            seen += event == "line"
            return trace

        before = Signature.of(graph)
        outer = sys.gettrace()
        sys.settrace(trace)
        try:
            verify(graph, before=before)
        finally:
            sys.settrace(outer)
        return seen

    assert lines(800) < 5 * lines(200), "quadratic work would be 16 times as much"


def test_order_is_stable_and_clean_up_drops_the_dead(graph):
    dead = gs.Node("Relu", "dead", inputs=[graph.inputs[0]], outputs=[gs.Variable("d")])
    also = gs.Node("Relu", "also", inputs=[dead.outputs[0]], outputs=[gs.Variable("e")])
    graph.nodes = [also, *reversed(graph.nodes), dead]
    assert [node.name for node in topological_order(graph)] == ["one", "two", "three", "dead", "also"]
    assert clean_up(graph) == 2
    assert [node.name for node in graph.nodes] == ["one", "two", "three"]
    assert [node.name for node in graph.inputs[0].outputs] == ["one"]
