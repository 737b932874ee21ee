"""Lookup: any function of one code, as a table."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from qonnx_tools.arithmetic import integer
from qonnx_tools.errors import ConfigError
from qonnx_tools.ops._codes import CARRIERS, CODES, TO, CodesOp
from qonnx_tools.ops.function import function
from qonnx_tools.ops.op import Attribute, Input


class Lookup(CodesOp):
    """Replace each code by its entry in a table: y = table[x - lowest code of x's format].

    Codes outside the format read the table's end.
    """

    name = "Lookup"
    inputs = (Input("x", "codes", CODES), Input("table", "[2**input_bits]", CODES))
    attributes = (
        Attribute("input_bits", f"1 to {integer.MOST_LOOKUP_BITS}"),
        Attribute("input_signed", "1: codes of both signs, 0: from zero up", 1),
        TO,
    )

    def check(self, inputs: Sequence[npt.NDArray[Any]]) -> None:
        """Leave it to the reference, which knows how long the table is."""

    def compute(self, inputs: Sequence[npt.NDArray[Any]], attributes: Mapping[str, Any]) -> npt.NDArray[Any]:
        x, table = inputs
        if CARRIERS.get(attributes["to"]) != table.dtype:
            raise ConfigError(f"{self.name}: attribute 'to' is {attributes['to']}; the table has type {table.dtype}")
        return integer.lookup(x, table, attributes["input_bits"], signed=bool(attributes["input_signed"]))

    def body(self, opset: int) -> onnx.FunctionProto:
        sizes = np.int64(1) << np.arange(integer.MOST_LOOKUP_BITS + 1)
        tables = {
            "sizes": sizes,
            "offsets": np.stack([np.zeros_like(sizes), sizes // 2]),  # of unsigned and signed codes
            "zero": np.array(0, np.int64),
            "one": np.array(1, np.int64),
        }
        return function(self, opset, tables, _BODY)


_BODY = """
    bits = Constant <value_int: int = @input_bits> ()
    signed = Constant <value_int: int = @input_signed> ()
    row = Gather <axis: int = 0> (offsets, signed)
    offset = Gather(row, bits)
    size = Gather(sizes, bits)
    last = Sub(size, one)
    wide = Cast <to: int = 7> (x)
    place = Add(wide, offset)
    is_before = Less(place, zero)
    at_least_first = Where(is_before, zero, place)
    is_after = Greater(at_least_first, last)
    at = Where(is_after, last, at_least_first)
    entries = Gather(table, at)
    y = Cast <to: int = @to> (entries)
"""
