"""What a chain of nodes makes of one code is one table."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.graph import (
    Names,
    constant_value,
    gs,
    is_constant,
    nodes,
    op_of,
    producer,
    sole_consumer,
)
from qonnx_tools.ops import DOMAIN, op_table
from qonnx_tools.origin import note_origin, origin_noted
from qonnx_tools.passes.base import Outcome, Pass, Rewrite, Skip

LOOKUP = f"{DOMAIN}::Lookup"


@dataclass(frozen=True)
class FuseTables(Pass):
    """Look up the product of codes and their table in one table.

    ::

        Lookup(x) -> a,  FixedMul(x, a)     becomes     Lookup(x)

    as SiLU, x * Sigmoid(x), has it. The new table holds what the two give for each code of x: every code of the graph
    is the same, and only the tensor between them is gone.

    Declines a product whose table is read elsewhere or is a graph output, one of other codes than its table's, and one
    of codes that may lie outside the table.
    """

    name: ClassVar[str] = "fuse-tables"

    def run(self, graph: gs.Graph) -> Iterator[Outcome]:
        names = Names(graph)
        for product in nodes(graph, f"{DOMAIN}::FixedMul"):
            lookup = next((maker for side in (0, 1) if (maker := _lookup(product, side)) is not None), None)
            if lookup is None:
                continue
            reason = _declined(product, lookup)
            if reason:
                yield Skip(product.name, reason)
                continue
            _fuse(product, lookup, names)
            yield Rewrite(product.name, f"part of the table of {lookup.name}")


def _lookup(product: gs.Node, side: int) -> gs.Node | None:
    """Return the table lookup that makes an operand of ``product``, or None."""
    maker = producer(product.inputs[side])
    return maker if maker is not None and op_of(maker) == LOOKUP else None


def _declined(product: gs.Node, lookup: gs.Node) -> str | None:
    x = lookup.inputs[0]
    operands = list(product.inputs)[:2]
    if not any(tensor is x for tensor in operands):
        return f"it multiplies by other codes than those of its table, '{x.name}'"
    if not is_constant(lookup.inputs[1], product.inputs[2]) or np.ndim(constant_value(product.inputs[2])):
        return "its table and its shift are not constant, one for the whole tensor"
    maker = producer(x)
    attributes = {} if maker is None else maker.attrs
    if maker is None or maker.domain != DOMAIN or not _are_inside(attributes, lookup.attrs):
        return f"'{x.name}' may have codes outside the table"
    is_alone = sole_consumer(lookup.outputs[0]) is product
    return None if is_alone else f"the table's result '{lookup.outputs[0].name}' is read elsewhere"


def _are_inside(made: Any, table: Any) -> bool:
    """Tell whether a node with the attributes ``made`` gives only codes that a table has an entry for."""
    if "bits" not in made:
        return False
    low, high = FixedPoint(made["bits"], 0, bool(made.get("signed", 1))).code_range
    first, last = FixedPoint(table["input_bits"], 0, bool(table.get("input_signed", 1))).code_range
    return first <= low and high <= last


def _fuse(product: gs.Node, lookup: gs.Node, names: Names) -> None:
    """Turn ``product`` into a lookup of all that it gives."""
    x = lookup.inputs[0]
    shape = FixedPoint(lookup.attrs["input_bits"], 0, bool(lookup.attrs.get("input_signed", 1)))
    low, high = shape.code_range
    codes = np.arange(low, high + 1).astype(shape.carrier)
    looked_up = _result(lookup, [codes, constant_value(lookup.inputs[1])])
    operands = [codes if tensor is x else looked_up for tensor in list(product.inputs)[:2]]
    table = _result(product, [*operands, constant_value(product.inputs[2])])
    origin, first = origin_noted(product), origin_noted(lookup)
    if origin is not None and first is not None:
        note_origin(product, replace(first, then=origin))
    product.op, product.inputs = "Lookup", [x, gs.Constant(names.unique(f"{product.name}.table"), table)]
    kept = {name: lookup.attrs[name] for name in ("input_bits", "input_signed") if name in lookup.attrs}
    product.attrs = {**kept, "to": product.attrs["to"]}


def _result(node: gs.Node, inputs: list[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    (values,) = op_table()[node.domain, node.op].reference(inputs, dict(node.attrs))
    return np.asarray(values)
