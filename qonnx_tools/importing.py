"""A quantized graph of another exporter becomes a float graph and a plan."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from qonnx_tools.arithmetic.fixed_point import FRAC_RANGE, FixedPoint
from qonnx_tools.arithmetic.rounding import Rounding
from qonnx_tools.errors import ModelError
from qonnx_tools.graph import (
    Model,
    Names,
    clean_up,
    constant_value,
    consumers,
    disconnect,
    from_proto,
    gs,
    input_value,
    is_constant,
    is_given,
    is_graph_output,
    mark_outputs,
    nodes,
    op_of,
    producer,
    to_proto,
    update_shapes,
)
from qonnx_tools.ops import DOMAIN
from qonnx_tools.outcome import Skip
from qonnx_tools.passes.constants_to_initializers import ConstantsToInitializers
from qonnx_tools.pipeline import canonicalize, run_passes
from qonnx_tools.plan import BatchNorm, Plan, Role, TensorPlan
from qonnx_tools.quantizers import Quantizer, is_quantizing, quantizer_of
from qonnx_tools.topology import is_passive, layers

SCHEME = "imported"
"""The scheme of a plan that was read out of a graph."""
BIAS_BITS = 32
PAIRED = ("QuantizeLinear", "DequantizeLinear")


@dataclass(frozen=True)
class Imported:
    """A float model, the plan that the quantized one carried, and what had no format of its own there."""

    model: Model
    plan: Plan
    notes: tuple[Skip, ...]


def is_importable(model: Model) -> bool:
    """Tell whether ``model`` has quantizers on floats, and no ops on codes of ours."""
    found = [node for node in nodes(model.graph) if is_quantizing(node)]
    return bool(found) and all(node.domain != DOMAIN or quantizer_of(node) is not None for node in found)


def import_quantized(model: Model, name: str = "the model") -> Imported:
    """Take the quantizers out of ``model``, which stays as it is, and return what they say as a plan.

    ``Quant``, ``IntQuant``, ``FixedQuant`` and ``LogQuant``, and ``QuantizeLinear`` and ``DequantizeLinear`` with zero
    point 0, with scales that are powers of two. A bias without a quantizer gets 32 bits on its accumulator's grid.
    Batch normalization is a unit of its own.

    Raises:
        ModelError: says which tensors have scales that are no powers of two, or quantizers that have no format here.
    """
    work = from_proto(to_proto(model))
    run_passes(work, [ConstantsToInitializers()])
    reading = _Reading(work)
    reading.read()
    if reading.refused:
        listed = "; ".join(f"'{item.node}': {item.reason}" for item in reading.refused)
        raise ModelError(f"{name}: {len(reading.refused)} quantizers have no format here: {listed}")
    mark_outputs(work.graph)
    clean_up(work.graph)
    update_shapes(work)
    canonicalize(work)
    present = work.graph.tensors()
    lost = [tensor for tensor in reading.tensors if tensor not in present]
    if lost:
        raise ModelError(f"{name}: the quantized tensors {', '.join(lost)} are folded away; export them unfolded")
    notes = list(_biases(work, reading.tensors))
    return Imported(work, Plan(SCHEME, BatchNorm.SEPARATE, reading.tensors), tuple(notes))


class _Reading:
    """Takes quantizers out of a graph one by one, and notes what each says."""

    def __init__(self, model: Model) -> None:
        self.graph = model.graph
        self.names = Names(model.graph)
        self.tensors: dict[str, TensorPlan] = {}
        self.refused: list[Skip] = []
        self._scales: dict[int, tuple[Any, ...]] = {}
        self._unread: set[int] = set()

    def read(self) -> None:
        for output in self.graph.outputs:
            maker = producer(_origin(output))
            if maker is not None and op_of(maker) == "QuantizeLinear":
                self._refuse(maker, f"its codes are the output '{output.name}'; put a DequantizeLinear behind them")
        if self.refused:
            return
        for node in list(nodes(self.graph)):
            if op_of(node) == "QuantizeLinear":
                self._quantize(node)
            elif op_of(node) == "DequantizeLinear":
                self._dequantize(node)
            elif is_quantizing(node):
                self._quantizer(node)

    def _quantizer(self, node: gs.Node) -> None:
        found = quantizer_of(node)
        if found is None:
            self._refuse(node, _why_not(node))
        elif is_constant(node.inputs[0]):
            self._store(node, constant_value(node.inputs[0]).astype(np.float32), found)
        else:
            self._note(node, found)

    def _quantize(self, node: gs.Node) -> None:
        found = _of_pair(node)
        output = node.outputs[0]
        if isinstance(found, str):
            self._refuse(node, found)
            self._unread.add(id(output))
            return
        readers = consumers(output)
        clip = readers[0] if len(readers) == 1 and op_of(readers[0]) == "Clip" else None
        if clip is not None:  # fewer bits than the carrier has, as Brevitas writes them
            narrower = _clipped(clip, found)
            if narrower is None:
                self._refuse(clip, "its bounds are those of no format")
                return
            found = narrower
            self._bypass(clip)
        self._scales[id(node.inputs[0])] = _identity(found)
        self._note(node, found)

    def _dequantize(self, node: gs.Node) -> None:
        found = _of_pair(node)
        if id(_origin(node.inputs[0])) in self._unread:
            return  # its QuantizeLinear has been named
        if isinstance(found, str):
            self._refuse(node, found)
        elif is_constant(node.inputs[0]):
            codes = constant_value(node.inputs[0])
            self._store(node, found.format.decode(codes, found.axis), found)
        elif self._scales.get(id(_origin(node.inputs[0]))) != _identity(found):
            self._refuse(node, "its scale is another one than that of the QuantizeLinear before it")
        else:
            self._bypass(node)

    def _note(self, node: gs.Node, found: Quantizer) -> None:
        source = node.inputs[0]
        line = TensorPlan(Role.ACTIVATION, found.format, found.rounding, found.axis)
        if self.tensors.setdefault(source.name, line) != line:
            self._refuse(node, f"'{source.name}' has another format already, {self.tensors[source.name].format}")
            return
        self._bypass(node)

    def _store(self, node: gs.Node, values: npt.NDArray[Any], found: Quantizer) -> None:
        """Put the constant that a quantizer reads in its place."""
        readers, axis = consumers(node.outputs[0]), found.axis
        source = node.inputs[0]
        while len(readers) == 1 and op_of(readers[0]) == "Transpose":
            order = list(readers[0].attrs.get("perm", range(values.ndim)[::-1]))
            values, axis = values.transpose(order), None if axis is None else order.index(axis)
            node, readers = readers[0], consumers(readers[0].outputs[0])
        stored = gs.Constant(self.names.unique(f"{source.name}"), np.ascontiguousarray(values, np.float32))
        if len(source.outputs) == 1:
            source.name, stored.name = self.names.unique(f"{source.name}.replaced"), source.name
        role = Role.CONSTANT
        for reader in readers:
            place = next(at for at, tensor in enumerate(reader.inputs) if tensor is node.outputs[0])
            role = _role(reader, place)
            reader.inputs = [stored if tensor is node.outputs[0] else tensor for tensor in reader.inputs]
        self.tensors[stored.name] = TensorPlan(role, found.format, found.rounding, axis)

    def _bypass(self, node: gs.Node) -> None:
        """Let the readers of a quantizer read what it reads; a graph output stays one, behind a Reshape."""
        source, output = node.inputs[0], node.outputs[0]
        if is_graph_output(output):
            rank = len(output.shape or source.shape or ())
            sizes = gs.Constant(self.names.unique(f"{output.name}.shape"), np.zeros(rank, np.int64))
            node.op, node.domain, node.attrs, node.inputs = "Reshape", None, {}, [source, sizes]
            return
        for reader in consumers(output):
            reader.inputs = [source if tensor is output else tensor for tensor in reader.inputs]
        disconnect(node)
        self._as_float(source)

    def _as_float(self, tensor: Any) -> None:
        """Let what moves codes move floats."""
        for reader in consumers(tensor):
            if is_passive(reader):
                for output in reader.outputs:
                    if output.dtype in (np.int8, np.uint8, np.int16, np.uint16):
                        output.dtype = np.dtype(np.float32)
                        self._as_float(output)

    def _refuse(self, node: gs.Node, reason: str) -> None:
        name = node.inputs[0].name if node.inputs else node.name
        self.refused.append(Skip(name, reason))


def _origin(tensor: Any) -> Any:
    """Return the tensor whose values ``tensor`` carries, through operators that pass codes."""
    maker = producer(tensor)
    while maker is not None and is_passive(maker):
        tensor = maker.inputs[0]
        maker = producer(tensor)
    return tensor


def _identity(found: Quantizer) -> tuple[Any, ...]:
    return (getattr(found.format, "frac", None), found.axis)


def _of_pair(node: gs.Node) -> Quantizer | str:
    """Return what a QuantizeLinear or DequantizeLinear says, or why that is no format."""
    scale, zero = input_value(node, 1), input_value(node, 2)
    if scale is None or (is_given(node, 2) and zero is None):
        return "its scale or zero point is computed"
    if zero is not None and np.any(zero):
        return f"its zero point is {zero.flat[0]}, not 0"
    mantissa, exponent = np.frexp(scale.astype(np.float64))
    frac = 1 - exponent.astype(np.int64)
    if np.any(mantissa != 0.5):
        return f"its scale is {scale.flat[0]:g}, no power of two"
    if frac.min() < FRAC_RANGE[0] or frac.max() > FRAC_RANGE[1]:
        return f"its scale is {scale.flat[0]:g}, out of range"
    carrier: np.dtype[Any] = np.dtype(np.uint8)
    if zero is not None:
        carrier = zero.dtype
    elif op_of(node) == "DequantizeLinear":
        tensor = node.inputs[0]
        carrier = constant_value(tensor).dtype if is_constant(tensor) else np.dtype(tensor.dtype)
    if carrier.kind not in "iu" or carrier.itemsize > 4:
        return f"its codes are {carrier}"
    axis = None
    if frac.size > 1:
        rank = len(node.inputs[0].shape or ())
        axis = int(node.attrs.get("axis", 1)) % max(rank, 1)
    value: Any = frac.item() if frac.size == 1 else tuple(frac.ravel().tolist())
    of = FixedPoint(8 * carrier.itemsize, value, carrier.kind == "i")
    return Quantizer(of, Rounding.HALF_EVEN, axis)


def _clipped(clip: gs.Node, found: Quantizer) -> Quantizer | None:
    """Return the format of codes behind a Clip, or None where its bounds are those of no format."""
    low, high = input_value(clip, 1), input_value(clip, 2)
    if low is None or high is None or not isinstance(found.format, FixedPoint):
        return None
    for bits in range(1, found.format.bits + 1):
        for signed, narrow in ((True, False), (True, True), (False, False)):
            of = replace(found.format, bits=bits, signed=signed, narrow=narrow)
            if of.code_range == (int(low.item()), int(high.item())):
                return replace(found, format=of)
    return None


def _why_not(node: gs.Node) -> str:
    if node.op not in ("Quant", "IntQuant"):
        return f"{node.op} has no format here"
    scale, zero = input_value(node, 1), input_value(node, 2)
    if scale is None:
        return "its scale is computed"
    if np.any(np.frexp(scale.astype(np.float64))[0] != 0.5):
        return f"its scale is {scale.flat[0]:g}, no power of two"
    if zero is None or np.any(zero):
        return "its zero point is not 0"
    mode = node.attrs.get("rounding_mode", "ROUND")
    return f"no fixed-point format rounds {mode} with those bits, or it has one signed bit"


def _role(reader: Any, place: int) -> Role:
    if reader.op in ("Conv", "ConvTranspose", "Gemm", "MatMul"):
        return (Role.ACTIVATION, Role.WEIGHT, Role.BIAS)[place] if place else Role.WEIGHT
    if reader.op == "BatchNormalization" and place in (1, 2):
        return Role.BATCH_NORM
    return Role.BIAS if reader.op == "Add" else Role.CONSTANT


def _biases(model: Model, tensors: dict[str, TensorPlan]) -> Iterator[Skip]:
    """Give biases without a format one on the grid of their accumulator; yield what is rounded to it."""
    present = model.graph.tensors()
    for layer in layers(model.graph):
        weight, sources = tensors.get(layer.weight), [tensors.get(name) for name in layer.sources]
        if layer.bias is None or layer.bias in tensors or weight is None:
            continue
        formats = [line.format for line in (weight, *sources) if line is not None]
        if len(formats) != len(sources) + 1 or not all(isinstance(of, FixedPoint) for of in formats):
            continue
        fracs = [np.asarray(of.frac, np.int64) for of in formats if isinstance(of, FixedPoint)]
        values = constant_value(present[layer.bias]).astype(np.float64)
        grid = np.broadcast_to(fracs[0] + max(int(frac.max()) for frac in fracs[1:]), values.shape)
        room = BIAS_BITS - 1 - np.frexp(np.abs(values))[1]
        grid = np.clip(np.minimum(grid, room), *FRAC_RANGE)
        codes = np.ldexp(values, grid)
        shared = np.unique(grid).size == 1
        frac: Any = int(grid.flat[0]) if shared else tuple(grid.tolist())
        of = FixedPoint(BIAS_BITS, frac)
        tensors[layer.bias] = TensorPlan(Role.BIAS, of, None, None if shared else 0)
        if np.any(codes != np.rint(codes)):
            yield Skip(layer.bias, "it has no quantizer: it is rounded to the grid of its accumulator")
