"""The table of ops, and what onnx is told about them."""

import atexit
import importlib
from collections.abc import Iterable, Mapping
from functools import cache, partial
from types import MappingProxyType
from typing import Any

import onnx

from qonnx_tools.discovery import concrete_classes
from qonnx_tools.ops.function import OLDEST_OPSET, default_attribute
from qonnx_tools.ops.op import Attribute, Op


@cache
def op_table() -> Mapping[tuple[str, str], Op]:
    """Every op by domain and op type."""
    found = [definition() for definition in concrete_classes("qonnx_tools.ops", Op)]  # type: ignore[type-abstract]
    return MappingProxyType({(domain, op.name): op for op in found for domain in op.domains})


def function_bodies(used: Iterable[tuple[str, str]], opset: int) -> list[onnx.FunctionProto]:
    """Return the bodies of the ops ``used``, of those that have one, for a default domain of version ``opset``.

    Those of the ops that a body calls come with it, and before it.
    """
    table = op_table()
    ops: dict[tuple[str, str], Op] = {}
    for key in sorted(set(used) & table.keys()):
        ops |= {called: table[called] for called in table[key].calls if called not in ops}
        ops.setdefault(key, table[key])
    bodies = [op.body(opset) for op in ops.values()]
    return [body for body in bodies if body is not None]


@cache
def register_schemas() -> None:
    """Tell onnx about every op, so that its checker and shape inference know them. Done once."""
    # onnx.reference lists all schemas when it is first imported, and refuses one op name in two domains.
    importlib.import_module("onnx.reference.op_run")
    for (domain, name), op in op_table().items():
        if onnx.defs.has(name, domain=domain):
            continue  # another package's, which models in this process may already be checked against
        onnx.defs.register_schema(schema(op, domain))
        # onnx keeps the schema until after the interpreter is gone, and then cannot free the Python function in it.
        atexit.register(onnx.defs.deregister_schema, name, op.since_version, domain)


def schema(op: Op, domain: str) -> onnx.defs.OpSchema:
    """Return the OpSchema of ``op`` in ``domain``."""
    kind = onnx.defs.OpSchema
    option = kind.FormalParameterOption
    made = kind(
        op.name,
        domain,
        op.since_version,
        op.doc,
        inputs=[
            kind.FormalParameter(
                wanted.name,
                f"T{position}",
                wanted.doc,
                param_option=option.Optional if wanted.optional else option.Single,
            )
            for position, wanted in enumerate(op.inputs)
        ],
        outputs=[kind.FormalParameter(name, "T" if op.output_types else "T0", "the result") for name in op.outputs],
        type_constraints=[
            *((f"T{position}", list(wanted.types), wanted.doc) for position, wanted in enumerate(op.inputs)),
            *([("T", list(op.output_types), "type of the result")] if op.output_types else []),
        ],
        attributes=[_attribute(attribute) for attribute in op.attributes],
    )
    if hasattr(made, "set_type_and_shape_inference_function"):  # from onnx 1.19 on
        made.set_type_and_shape_inference_function(partial(_infer, op))
    return made


def _attribute(attribute: Attribute) -> onnx.defs.OpSchema.Attribute:
    kind = onnx.defs.OpSchema
    if attribute.default is None:
        types = {int: kind.AttrType.INT, str: kind.AttrType.STRING, tuple: kind.AttrType.INTS}
        return kind.Attribute(attribute.name, types[attribute.kind], attribute.doc, required=True)
    return kind.Attribute(attribute.name, default_attribute(attribute), attribute.doc)


def _infer(op: Op, context: Any) -> None:
    """Infer the output of ``op`` as onnx infers that of the op's stand-in."""
    node = onnx.NodeProto(op_type=op.name, output=op.outputs)
    interface = []
    for position, wanted in enumerate(op.inputs[: context.get_num_inputs()]):
        given = context.get_input_type(position)
        if given is None and not wanted.optional:
            return
        node.input.append(wanted.name if given is not None else "")
        if given is not None:
            interface.append(onnx.ValueInfoProto(name=wanted.name, type=given))
    found = (context.get_attribute(attribute.name) for attribute in op.attributes)
    node.attribute.extend(attribute for attribute in found if attribute is not None)
    result = onnx.ValueInfoProto(name=op.outputs[0])
    graph = onnx.helper.make_graph(op.stand_in(node), op.name, interface, [result])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", OLDEST_OPSET)])
    (output,) = onnx.shape_inference.infer_shapes(model).graph.output
    if output.HasField("type"):
        context.set_output_type(0, output.type)
