"""The project's quantizers become ``Quant`` nodes of the QONNX dialect."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from qonnx_tools.arithmetic import qonnx_dialect
from qonnx_tools.arithmetic.log import Log
from qonnx_tools.arithmetic.rounding import Rounding
from qonnx_tools.graph import Names, constant_value, gs, input_value, is_constant, nodes, set_constant
from qonnx_tools.ops import DOMAIN, QONNX_DOMAINS, op_table
from qonnx_tools.passes.base import Outcome, Pass, Rewrite, Skip

EXACT_MODES: Mapping[str, str] = {
    Rounding.HALF_EVEN: "ROUND",
    Rounding.FLOOR: "FLOOR",
    Rounding.CEIL: "CEIL",
    Rounding.TOWARD_ZERO: "DOWN",
}
"""The rounding mode of QONNX that gives the same integer for every float32 number."""
MOST_EXACT_BITS = {True: 25, False: 24}
"""By ``signed``: the widest formats whose bounds float32 holds. Beyond, the bounds of Quant and FixedQuant differ."""
MOST_BITS = 32


@dataclass(frozen=True)
class _Quant:
    """Parameters of a ``Quant`` node: ``scale`` is 0-d or broadcasts to the tensor, the zero point is 0."""

    scale: npt.NDArray[np.float32]
    bits: int
    signed: bool
    narrow: bool
    mode: str

    @property
    def attributes(self) -> dict[str, int | str]:
        return {"rounding_mode": self.mode, "signed": int(self.signed), "narrow": int(self.narrow)}

    def __call__(self, x: npt.ArrayLike) -> npt.NDArray[np.float32]:
        return qonnx_dialect.int_quant(
            x, self.scale, 0, self.bits, signed=self.signed, narrow=self.narrow, rounding_mode=self.mode
        )


@dataclass(frozen=True)
class _Inexact:
    """Why no Quant equals a quantizer, and the one that comes nearest, where there is one."""

    reason: str
    nearest: _Quant | None = None


@dataclass(frozen=True)
class LowerToQonnx(Pass):
    """Write ``FixedQuant``, and ``LogQuant`` of a constant, as ``Quant`` of ``qonnx.custom_op.general``.

    ::

        FixedQuant(x, f)        becomes  Quant(x, 2^-f, 0, bits)            half_even ROUND, floor FLOOR, ceil CEIL,
                                                                            toward_zero DOWN
        LogQuant(constant, s)   becomes  Quant(constant', s / 2^(K-1), 0, K + 1), narrow, ROUND   (unsigned: K)

    with K the number of magnitudes and constant' = LogQuant(constant): then all codes are 0 and +-2^k, k < K. Scale,
    zero point and bit width are initializers, 0-d but for a scale that differs per channel; all attributes are written.

    Equal for every float32 number, but for the sign of a zero: FixedQuant gives +0, Quant gives -0 for what rounds to
    zero from below. A constant is compared value by value: where Quant would give others (another rounding rule, more
    bits than float32 holds), it is stored quantized, and Quant leaves it as it is.

    ``modes`` are the rounding modes that a tool has, by the rule that it carries out under that name: FINN rounds ties
    up whatever the mode says. With ``nearest`` what has no exact mode, or a scale that is no power of two, gets the
    nearest that there is, and is said to be inexact all the same.

    Declines what Quant cannot say: half_up and half_away on activations (its HALF_UP adds 1/2 in float32, which takes
    0.49999997 up), an activation of more than 25 bits signed or 24 unsigned, one signed bit (Quant makes it -1 and +1),
    no bits, LogQuant of an activation, of base sqrt 2, with a scale that is no power of two or with more than 32 bits
    of codes, and parameters that are not constant.
    """

    name: ClassVar[str] = "lower-to-qonnx"
    modes: Mapping[str, str] = field(default_factory=lambda: EXACT_MODES)
    nearest: bool = False

    def run(self, graph: gs.Graph) -> Iterator[Outcome]:
        names = Names(graph)
        for node in nodes(graph, f"{DOMAIN}::FixedQuant", f"{DOMAIN}::LogQuant"):
            found = self._from_fixed(node) if node.op == "FixedQuant" else _from_log(node)
            if isinstance(found, _Inexact):
                yield Skip(node.name, found.reason)
                if found.nearest is None or not self.nearest:
                    continue
                found = found.nearest
            stored = ""
            if is_constant(node.inputs[0]):
                values = _quantized(node)
                if not np.array_equal(found(constant_value(node.inputs[0])), values):
                    if not np.array_equal(found(values), values):
                        yield Skip(node.name, f"Quant cannot hold the values of constant '{node.inputs[0].name}'")
                        continue
                    set_constant(graph, node, 0, values, node.inputs[0].name, names=names)
                    stored = f"; '{node.inputs[0].name}' is stored quantized"
            yield Rewrite(node.name, f"{node.op} to Quant, {found.bits} bits, {found.mode}{stored}")
            _write(node, found, names)

    def _from_fixed(self, node: gs.Node) -> "_Quant | _Inexact":
        """Return the Quant that equals a FixedQuant, or why there is none."""
        frac = input_value(node, 1)
        if frac is None:
            return _Inexact("its fraction bits are not constant")
        attributes = _attributes(node)
        bits, signed, narrow = int(attributes["bits"]), bool(attributes["signed"]), bool(attributes["narrow"])
        rounding = list(Rounding)[int(attributes["rounding"])]
        if bits == 0:
            return _Inexact("it has 0 bits, Quant at least 1")
        if bits == 1 and signed:
            return _Inexact("one signed bit is -1 and +1 to Quant, not -1 and 0")
        scale = np.asarray(np.ldexp(np.float32(1), -frac.astype(np.int32)), dtype=np.float32)
        is_stored = is_constant(node.inputs[0])
        mode = EXACT_MODES.get(rounding, "ROUND") if is_stored else self.modes.get(rounding, "ROUND")
        quant = _Quant(_single(scale), bits, signed, signed and narrow, mode)
        if not is_stored and rounding not in self.modes:
            if self.modes is EXACT_MODES:
                return _Inexact(f"Quant has no mode that equals {rounding} on every number", quant)
            known = " or ".join(self.modes)
            return _Inexact(
                f"it is rounded {rounding}, and the tool rounds {known}; convert with that --rounding", quant
            )
        if not is_stored and bits > MOST_EXACT_BITS[signed]:
            return _Inexact(f"Quant is not exact beyond {MOST_EXACT_BITS[signed]} bits: it computes in float32", quant)
        return quant


def _from_log(node: gs.Node) -> _Quant | _Inexact:
    """Return the Quant whose codes are the magnitudes of a LogQuant, in units of the smallest, or why there is none."""
    scale = input_value(node, 1)
    if not is_constant(node.inputs[0]):
        return _Inexact("logarithmic activations have no QONNX op")
    if scale is None:
        return _Inexact("its scale is not constant")
    attributes = _attributes(node)
    if attributes["steps"] != 1:
        return _Inexact("base sqrt 2: its magnitudes are no integers")
    signed = bool(attributes["signed"])
    count = Log(int(attributes["bits"]), float(scale.max()), signed=signed).count
    bits = count + signed
    if bits > MOST_BITS:
        return _Inexact(f"its {attributes['bits']}-bit logarithms span more than {MOST_BITS} bits of integers")
    smallest = np.asarray(np.ldexp(scale, 1 - count), dtype=np.float32)
    quant = _Quant(_single(smallest), bits, signed, signed, "ROUND")
    if np.any(np.frexp(scale)[0] != 0.5):
        return _Inexact("its scale is no power of two, which hls4ml and FINN need", quant)
    return quant


def _quantized(node: gs.Node) -> npt.NDArray[np.float32]:
    (values,) = op_table()[node.domain, node.op].reference(
        [constant_value(tensor) for tensor in node.inputs], dict(node.attrs)
    )
    return values


def _attributes(node: gs.Node) -> dict[str, Any]:
    return op_table()[node.domain, node.op].complete(dict(node.attrs))


def _single(scale: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    return scale.reshape(()) if scale.size == 1 else scale


def _write(node: gs.Node, quant: _Quant, names: Names) -> None:
    parameters = {"scale": quant.scale, "zeropt": np.float32(0), "bitwidth": np.float32(quant.bits)}
    node.op, node.domain, node.attrs = "Quant", QONNX_DOMAINS[0], quant.attributes
    node.inputs = [
        node.inputs[0],
        *(gs.Constant(names.unique(f"{node.name}.{name}"), np.array(value)) for name, value in parameters.items()),
    ]
