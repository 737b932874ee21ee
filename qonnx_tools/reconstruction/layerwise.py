"""Layer after layer: weights, scales and biases that keep the outputs of a quantized network near the trained ones."""

import itertools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from qonnx_tools.arithmetic.formats import Format
from qonnx_tools.graph import Model, gs, is_constant, is_given, sole_consumer
from qonnx_tools.plan import TensorPlan
from qonnx_tools.quantizers import quantizer_of
from qonnx_tools.reconstruction.activation_choice import choose_format
from qonnx_tools.reconstruction.layer_view import LayerView, Positions
from qonnx_tools.reconstruction.moments import Moments
from qonnx_tools.reconstruction.solver import Problem, choose
from qonnx_tools.reconstruction.walk import Batches, Walk
from qonnx_tools.schemes.family import Family

LEAST_POSITIONS, POSITIONS_AN_INPUT = 1 << 15, 128
"""Output positions of a layer that are looked at, in all and for each input of an output: more add little but time."""
POSITIONS_AT_ONCE = 1 << 12
SMALL_SCALE = 1e-2
"""A batch-norm scale below this share of the largest hides what lies behind it."""

Values = npt.NDArray[Any]
Progress = Callable[[int, int], None]
"""Called with (done, total) layers."""


@dataclass(frozen=True)
class LayerResult:
    """What became of one layer: noise over signal at its output, by the images that it was fitted to."""

    node: str
    noise: float


@dataclass
class Reconstruction:
    """New values of constants by tensor name, and the formats of the weights among them.

    The weights lie on the grid of their format.
    """

    values: dict[str, npt.NDArray[np.float32]] = field(default_factory=dict)
    formats: dict[str, Format] = field(default_factory=dict)
    activations: dict[str, TensorPlan] = field(default_factory=dict)
    layers: list[LayerResult] = field(default_factory=list)


@dataclass(frozen=True)
class Choice:
    """The formats to choose from for the weights of a layer; ``shared``: one for all of its channels."""

    family: Family[Any]
    shared: bool = False


def reconstruct(
    model: Model,
    images: Sequence[npt.NDArray[np.float32]],
    choices: Mapping[str, Choice],
    constants: Mapping[str, Values],
    progress: Progress | None = None,
    activations: Mapping[str, Sequence[TensorPlan]] = MappingProxyType({}),
) -> Reconstruction:
    """Fit the weights of the layers in ``choices``, in graph order: each sees the errors of those before it.

    The outputs to come near to are those of the trained network. Where an Add follows, the error that its other
    input has by then is made good as well. Biases, or the offsets of a batch normalization behind the layer, take
    the mean of what is left.

    Args:
        model: a canonical graph with quantizers for its activations, and the trained constants.
        images: one array ``[n, ...]`` a batch.
        choices: by node name.
        constants: quantized values of other constants, by tensor name.
        progress: called after each layer.
        activations: formats to choose from for the activations that have a quantizer, by tensor name.
    """
    walk, result = Walk(model, images, constants), Reconstruction()
    for node in walk:
        if quantizer_of(node) is not None:
            source = node.inputs[0].name
            if source in activations:
                result.activations[source] = choose_format(walk, node, activations[source])
                walk.requantize(node, result.activations[source])
            continue
        choice = choices.get(node.name)
        view = LayerView.of(node, tuple(node.inputs[1].shape)) if choice is not None else None
        if choice is None or view is None:
            continue
        (fitted,) = fit_layer(walk, node, view, [choice])
        walk.replace(fitted.values)
        result.values.update(fitted.values)
        result.formats[node.inputs[1].name] = fitted.format
        result.layers.append(LayerResult(node.name, fitted.noise))
        if progress:
            progress(len(result.layers), len(choices))
    return result


@dataclass(frozen=True)
class FittedLayer:
    """Constants of a layer by tensor name, the format of its weights, and noise over signal at its output."""

    values: dict[str, npt.NDArray[np.float32]]
    format: Format
    noise: float


def fit_layer(walk: Walk, node: gs.Node, view: LayerView, choices: Sequence[Choice]) -> Iterator[FittedLayer]:
    """Yield the constants of the layer ``node`` fitted to each of ``choices``, at the point where ``walk`` is."""
    trained = walk.constant(node.inputs[1]).astype(np.float64)
    rows = view.rows(trained)
    offset = _offset_behind(node)
    moments = _moments(walk, node, view, rows)
    gram, cross = moments.centred() if offset is not None else moments.plain()
    problem = Problem.damped(gram, cross, rows)
    power = moments.variance().sum() if offset is not None else moments.power.sum() / moments.count
    for choice in choices:
        best, on_grid = choose(problem, choice.family, shared=choice.shared)
        of = choice.family.shared(int(best[0])) if choice.shared else choice.family.choice(best)
        weights = view.weights(on_grid).astype(np.float32)
        axis = None if choice.shared else int(view.transposed)
        values = {node.inputs[1].name: of.quantize(weights, None, axis)}  # exactly on the grid, in float32
        if offset is not None:
            means = moments.offset(view.rows(values[node.inputs[1].name].astype(np.float64)))
            values[offset.name] = offset.moved(walk, means.reshape(-1))
        error = Problem(gram, cross).error(on_grid).sum() + power
        yield FittedLayer(values, of, float(max(error, 0.0) / power) if power else 0.0)


def _moments(walk: Walk, node: gs.Node, view: LayerView, rows: npt.NDArray[np.float64]) -> Moments:
    moments = Moments.zero(*rows.shape)
    inputs = walk.quantized[node.inputs[0].name]
    outputs = walk.trained[node.outputs[0].name]
    ahead = _error_ahead(walk, node)
    spread = _spread(outputs, max(LEAST_POSITIONS, POSITIONS_AN_INPUT * rows.shape[2]))
    columns: Batches = []
    targets: Batches = []
    for at, (x, y) in enumerate(zip(inputs, outputs, strict=True)):
        positions = next(spread)
        columns.append(view.columns(x, positions))
        targets.append(view.targets(y if ahead is None else y + ahead[at], positions))
        if at + 1 == len(inputs) or sum(each.shape[2] for each in columns) >= POSITIONS_AT_ONCE:
            moments.add(np.concatenate(columns, axis=2), np.concatenate(targets, axis=2))
            columns, targets = [], []
    return moments


def _spread(outputs: Batches, wanted: int) -> Iterator[Positions]:
    """Yield positions for each batch of maps ``[n, C, *O]``, about ``wanted`` in all: every s-th in each dimension.

    Neighbours in a map tell much the same, so that few positions of many images tell more than all of few. The first
    one moves from batch to batch, so that all have their turn.
    """
    spatial = outputs[0].shape[2:]
    total = sum(len(batch) for batch in outputs) * math.prod(spatial)
    stride = math.floor((total / wanted) ** (1 / len(spatial))) if spatial else 1
    strides = [max(1, min(stride, size)) for size in spatial]
    for first in itertools.cycle(np.ndindex(*strides)):
        yield tuple(slice(start, None, step) for start, step in zip(first, strides, strict=True))


@dataclass(frozen=True)
class _Offset:
    """Where the mean error of a layer can be taken up: its own bias, or the offset of the batch norm behind it."""

    tensor: Any
    scale: Any = None

    @property
    def name(self) -> str:
        return str(self.tensor.name)

    def moved(self, walk: Walk, means: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
        """Return the new offset, ``means`` being the best bias of the layer."""
        if self.scale is None:
            return means.astype(np.float32).reshape(self.tensor.shape)
        moved = walk.constant(self.tensor) + means * walk.constant(self.scale)
        return np.asarray(moved, dtype=np.float32)


def _offset_behind(node: gs.Node) -> _Offset | None:
    if node.op != "MatMul" and is_given(node, 2):
        return _Offset(node.inputs[2]) if is_constant(node.inputs[2]) else None
    reader = _reader(node.outputs[0])
    if reader is None or reader.op != "BatchNormalization" or not is_constant(*list(reader.inputs)[1:3]):
        return None
    return _Offset(reader.inputs[2], reader.inputs[1])


def _error_ahead(walk: Walk, node: gs.Node) -> Batches | None:
    """Return what the other input of an Add behind ``node`` lacks by now, in units of the layer's output."""
    reader, output = _reader(node.outputs[0]), node.outputs[0]
    scale = None
    if reader is not None and reader.op == "BatchNormalization":
        scale, output = walk.constant(reader.inputs[1]).astype(np.float32), reader.outputs[0]
        reader = _reader(output)
    if reader is None or reader.op != "Add":
        return None
    (other,) = [tensor for tensor in reader.inputs if not _comes_from(tensor, output)] or [None]
    if other is None or other.name not in walk.quantized:
        return None
    errors = [a - b for a, b in zip(walk.trained[other.name], walk.quantized[other.name], strict=True)]
    if scale is None:
        return errors
    visible = np.abs(scale) > SMALL_SCALE * np.abs(scale).max(initial=0.0)
    factor = np.where(visible, 1 / np.where(visible, scale, 1), 0).astype(np.float32)
    return [error * factor.reshape(-1, *[1] * (error.ndim - 2)) for error in errors]


def _reader(tensor: Any) -> gs.Node | None:
    """Return the only node that reads ``tensor``, behind its quantizer if it has one."""
    node = sole_consumer(tensor)
    while node is not None and quantizer_of(node) is not None:
        node = sole_consumer(node.outputs[0])
    return node


def _comes_from(tensor: Any, source: Any) -> bool:
    if tensor is source:
        return True
    maker = tensor.inputs[0] if tensor.inputs else None
    return maker is not None and quantizer_of(maker) is not None and maker.inputs[0] is source
