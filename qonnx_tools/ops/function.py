"""Function bodies: an op written in standard ONNX, in the text form of onnx.parser."""

from collections.abc import Mapping, Sequence
from textwrap import dedent
from typing import Any

import numpy.typing as npt
import onnx
import onnx.parser

from qonnx_tools.errors import ConfigError
from qonnx_tools.ops.op import DOMAIN_VERSION, Attribute, Op

OLDEST_OPSET = 13


def function(op: Op, opset: int, tables: Mapping[str, npt.NDArray[Any]], text: str) -> onnx.FunctionProto:
    """Return the body of ``op`` as a function that imports the default domain's ``opset``.

    Args:
        op: gives the name, inputs, outputs and attributes; ``text`` reads an attribute as ``@name``.
        opset: version of the default domain.
        tables: constants that ``text`` uses, by name.
        text: the nodes, one a line.
    """
    _check(op, opset)
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
    return _described(proto, op)


Call = tuple[Op, Sequence[str], str, Mapping[str, str | int]]
"""An op with the names of its inputs and of its output, and its attributes: numbers, or names of the caller's."""


def composition(op: Op, opset: int, called: Sequence[Call]) -> onnx.FunctionProto:
    """Return a body that calls other ops of the project: a model that has it needs their bodies, too.

    Args:
        op: gives the name, inputs, outputs and attributes.
        opset: version of the default domain.
        called: the nodes, in order.
    """
    _check(op, opset)
    domains = dict.fromkeys(each.domains[0] for each, *_ in called)
    proto = onnx.FunctionProto(domain=op.domains[0], name=op.name)
    proto.input.extend(wanted.name for wanted in op.inputs)
    proto.output.extend(op.outputs)
    proto.opset_import.extend([onnx.helper.make_opsetid("", opset)])
    proto.opset_import.extend(onnx.helper.make_opsetid(domain, DOMAIN_VERSION) for domain in domains)
    for each, inputs, output, attributes in called:
        node = onnx.helper.make_node(each.name, inputs, [output], domain=each.domains[0])
        for wanted in each.attributes:
            value = attributes[wanted.name]
            if isinstance(value, str):
                kind = onnx.AttributeProto.INTS if wanted.kind is tuple else onnx.AttributeProto.INT
                node.attribute.append(onnx.AttributeProto(name=wanted.name, ref_attr_name=value, type=kind))
            else:
                node.attribute.append(onnx.helper.make_attribute(wanted.name, value))
        proto.node.append(node)
    return _described(proto, op)


def _check(op: Op, opset: int) -> None:
    if opset < OLDEST_OPSET:
        raise ConfigError(f"{op.name} has a function body from opset {OLDEST_OPSET} on; the model has {opset}")


def _described(proto: onnx.FunctionProto, op: Op) -> onnx.FunctionProto:
    """Give a body the attributes and the documentation of ``op``."""
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
