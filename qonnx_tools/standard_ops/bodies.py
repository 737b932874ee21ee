"""The function body of an op of ours in the place of its node."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from qonnx_tools.graph import Names, gs, plain_domain
from qonnx_tools.ops import op_table


def inlined(node: gs.Node, opset: int, names: Names) -> list[gs.Node] | None:
    """Return standard nodes that compute what ``node`` computes, to the bit; None where there are none.

    They read the inputs of the node and write its outputs; the node itself stays as it is.
    """
    op = op_table()[plain_domain(node.domain), node.op]
    body = op.body(opset)
    if body is None or any(item.type == onnx.AttributeProto.GRAPH for each in body.node for item in each.attribute):
        return None
    given = list(node.inputs) + [gs.Variable.empty()] * (len(body.input) - len(node.inputs))
    for place, wanted in enumerate(op.inputs):
        if given[place].is_empty() and wanted.default is not None:
            given[place] = gs.Constant(names.unique(f"{node.name}.{wanted.name}"), np.array(wanted.default))
    tensors: dict[str, Any] = dict(zip(body.input, given, strict=True))
    tensors |= dict(zip(body.output, node.outputs, strict=True))
    attributes = {item.name: helper.get_attribute_value(item) for item in body.attribute_proto} | dict(node.attrs)
    made: list[gs.Node] = []
    for each in body.node:
        found = _attributes(each, attributes)
        if each.op_type == "Constant" and each.domain == "":
            tensors[each.output[0]] = gs.Constant(names.unique(f"{node.name}.{each.output[0]}"), _constant(found))
            continue
        copy = gs.Node(
            op=each.op_type,
            name=names.unique(f"{node.name}.{each.op_type}"),
            attrs=found,
            inputs=[tensors[name] if name else gs.Variable.empty() for name in each.input],
            outputs=[_output(name, node, tensors, names) for name in each.output],
            domain=each.domain or None,
        )
        made.append(copy)
    return _without_calls(made, opset, names)


def _without_calls(made: list[gs.Node], opset: int, names: Names) -> list[gs.Node] | None:
    """Return the nodes with the bodies of ours that they call in their place."""
    flat: list[gs.Node] = []
    for node in made:
        if (plain_domain(node.domain), node.op) not in op_table():
            flat.append(node)
            continue
        inner = inlined(node, opset, names)
        if inner is None:
            return None
        node.inputs, node.outputs = [], []
        flat += inner
    return flat


def _output(name: str, node: gs.Node, tensors: dict[str, Any], names: Names) -> Any:
    if not name:
        return gs.Variable.empty()
    if name not in tensors:
        tensors[name] = gs.Variable(names.unique(f"{node.name}.{name}"))
    return tensors[name]


def _attributes(node: onnx.NodeProto, caller: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for item in node.attribute:
        if item.ref_attr_name:
            if item.ref_attr_name in caller:
                found[item.name] = caller[item.ref_attr_name]
            continue
        value = helper.get_attribute_value(item)
        if isinstance(value, onnx.TensorProto):
            found[item.name] = numpy_helper.to_array(value)
        else:
            found[item.name] = value.decode() if isinstance(value, bytes) else value
    return found


def _constant(attributes: Mapping[str, Any]) -> np.ndarray[Any, Any]:
    ((kind, value),) = attributes.items()
    dtype = {"value_int": np.int64, "value_ints": np.int64, "value_float": np.float32, "value_floats": np.float32}
    return np.asarray(value, dtype.get(kind))
