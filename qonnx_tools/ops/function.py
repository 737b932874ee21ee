"""Function bodies: an op written in standard ONNX, in the text form of onnx.parser."""

from collections.abc import Mapping
from textwrap import dedent
from typing import Any

import numpy.typing as npt
import onnx
import onnx.parser

from qonnx_tools.errors import ConfigError
from qonnx_tools.ops.op import Attribute, Op

OLDEST_OPSET = 13


def function(op: Op, opset: int, tables: Mapping[str, npt.NDArray[Any]], text: str) -> onnx.FunctionProto:
    """Return the body of ``op`` as a function that imports the default domain's ``opset``.

    Args:
        op: gives the name, inputs, outputs and attributes; ``text`` reads an attribute as ``@name``.
        opset: version of the default domain.
        tables: constants that ``text`` uses, by name.
        text: the nodes, one a line.
    """
    if opset < OLDEST_OPSET:
        raise ConfigError(f"{op.name} has a function body from opset {OLDEST_OPSET} on; the model has {opset}")
    names = ", ".join(wanted.name for wanted in op.inputs)
    header = (
        f'<domain: "{op.domains[0]}", opset_import: ["": {opset}]>\n{op.name} ({names}) => ({", ".join(op.outputs)})'
    )
    proto = onnx.parser.parse_function(f"{header}\n{{\n{dedent(text)}\n}}")
    constants = [
        onnx.helper.make_node("Constant", [], [name], value=onnx.numpy_helper.from_array(table, name))
        for name, table in tables.items()
    ]
    nodes = [*constants, *proto.node]
    del proto.node[:]
    proto.node.extend(nodes)
    proto.attribute.extend(attribute.name for attribute in op.attributes if attribute.default is None)
    proto.attribute_proto.extend(
        default_attribute(attribute) for attribute in op.attributes if attribute.default is not None
    )
    proto.doc_string = op.doc
    return proto


def default_attribute(attribute: Attribute) -> onnx.AttributeProto:
    """Return an attribute with its default, which may be an empty list."""
    if attribute.kind is tuple and not attribute.default:
        return onnx.AttributeProto(name=attribute.name, type=onnx.AttributeProto.INTS)
    return onnx.helper.make_attribute(attribute.name, attribute.default)
