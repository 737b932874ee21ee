"""A trained model made ready for a plan: canonical, its batch normalization treated, its activations looked at."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import onnx

from qonnx_tools.calibration import Calibration, Progress, calibrate
from qonnx_tools.data import Dataset, Preprocessing, open_data
from qonnx_tools.data_free import calibrate_without_data
from qonnx_tools.errors import ConfigError, ModelError
from qonnx_tools.graph import Model, constant_value, from_proto, is_constant, load, nodes, to_proto
from qonnx_tools.outcome import Skip
from qonnx_tools.passes.base import Pass
from qonnx_tools.passes.fold_batch_norm import FoldBatchNorm
from qonnx_tools.passes.reduce_batch_norm import ReduceBatchNorm
from qonnx_tools.passes.registry import registered_passes
from qonnx_tools.passes.separate_layer_inputs import SeparateLayerInputs
from qonnx_tools.pipeline import PassReport, canonicalize, run_passes
from qonnx_tools.plan import BatchNorm
from qonnx_tools.quantizers import is_quantizing
from qonnx_tools.schemes.network import Network
from qonnx_tools.topology import activations, concatenated, constants, layers, normalizations, read_by_layers_alone

Source = str | os.PathLike[str] | onnx.ModelProto | Model
"""A file, or a model in memory, which stays as it is."""

TREATMENTS: Mapping[BatchNorm, tuple[Pass, ...]] = {
    BatchNorm.FOLD: (FoldBatchNorm(), ReduceBatchNorm()),
    BatchNorm.MERGE: (ReduceBatchNorm(),),
    BatchNorm.SEPARATE: (ReduceBatchNorm(),),
}
"""The passes that give batch normalization the form that a plan asks for."""


@dataclass(frozen=True)
class Prepared:
    """A model ready for a plan, and what was done to it.

    ``activations`` are the tensors to quantize, ``left`` those that are not, with reasons. ``trained`` is the model
    before its batch normalization was treated, where that was asked for.
    """

    model: Model
    activations: tuple[str, ...]
    left: tuple[Skip, ...]
    reports: tuple[PassReport, ...]
    trained: Model | None = None


def prepare(
    source: Source,
    batch_norm: BatchNorm,
    passes: Iterable[str] = (),
    separate: Callable[[Model], frozenset[str]] | None = None,
    *,
    merge_sums: bool = False,
    keep_trained: bool = False,
) -> Prepared:
    """Return ``source`` in the form that plans are for.

    Args:
        source: a float model with one input.
        batch_norm: what becomes of batch normalization.
        passes: names of further passes to run on the canonical graph, in order.
        separate: returns the tensors that layers read in a format of their own.
        merge_sums: whether a layer's result that is added to another tensor has no format of its own.
        keep_trained: whether to keep a copy from before batch normalization is treated, for data-free calibration.

    Raises:
        QonnxToolsError: the model or the name of a pass is at fault.
    """
    extra = passes_called(passes)
    work = _own(source)
    _check_convertible(work, os.fspath(source) if isinstance(source, str | os.PathLike) else "the model")
    reports = canonicalize(work) + run_passes(work, extra)
    trained = from_proto(to_proto(work)) if keep_trained else None
    reports += run_passes(work, TREATMENTS[batch_norm])
    apart = frozenset() if separate is None else separate(work)
    if apart:
        reports += run_passes(work, [SeparateLayerInputs(apart)])
        if trained is not None:
            run_passes(trained, [SeparateLayerInputs(apart)])
    chosen, left = activations(work.graph, merged=batch_norm is BatchNorm.MERGE, sums=merge_sums)
    return Prepared(work, tuple(chosen), tuple(left), tuple(reports), trained)


def look_at(
    prepared: Prepared,
    dataset: Dataset | None,
    images: int,
    preprocessing: Preprocessing | None = None,
    progress: Progress | None = None,
) -> tuple[Network, Calibration]:
    """Return the network as a scheme sees it, with histograms of its activations on at most ``images`` images.

    Without a dataset they are those of synthetic images, which ``preprocessing`` shapes; ``prepared`` must have kept
    the trained model.
    """
    if dataset is not None:
        calibration = calibrate(prepared.model, list(prepared.activations), dataset, images, progress)
    elif prepared.trained is not None:
        calibration = calibrate_without_data(prepared.trained, list(prepared.activations), preprocessing)
    else:
        raise ConfigError("without calibration images the model from before its batch normalization is needed")
    return _network(prepared.model, calibration), calibration


def open_images(data: Dataset | str | os.PathLike[str], preprocessing: Preprocessing | None, model: Model) -> Dataset:
    """Return the images ``data`` as ``model`` reads them."""
    if isinstance(data, Dataset):
        return data
    return open_data(os.fspath(data), preprocessing, tuple(model.graph.inputs[0].shape or ()))


def passes_called(names: Iterable[str]) -> list[Pass]:
    """Return the registered passes of these names."""
    known, called = registered_passes(), []
    for name in names:
        if name not in known:
            raise ConfigError(f"pass '{name}' is unknown; there are {', '.join(known)}")
        called.append(known[name]())
    return called


def _own(model: Source) -> Model:
    """Return a model to edit, apart from the caller's."""
    if isinstance(model, str | os.PathLike):
        return load(model)
    return from_proto(model if isinstance(model, onnx.ModelProto) else to_proto(model))


def _check_convertible(model: Model, name: str) -> None:
    """Raise ``ModelError`` unless the model is in float, with one float32 input ``[batch, ...]``."""
    inputs = model.graph.inputs
    if len(inputs) != 1:
        names = ", ".join(f"'{tensor.name}'" for tensor in inputs)
        raise ModelError(f"{name}: the model has {len(inputs)} inputs{names and f' ({names})'}; export it with one")
    (entry,) = inputs
    if entry.dtype != np.float32 or not entry.shape:
        kind = np.dtype(entry.dtype).name
        shape = "unknown shape" if entry.shape is None else f"shape {list(entry.shape)}"
        raise ModelError(f"{name}: input '{entry.name}' is {kind} of {shape}; export it as float32 [batch, ...]")
    for node in nodes(model.graph):
        if is_quantizing(node):
            raise ModelError(f"{name}: the model is quantized already (node '{node.name}'); convert the float model")
        for tensor in node.inputs:
            if is_constant(tensor) and tensor.dtype in (np.float16, np.float64):
                kind = np.dtype(tensor.dtype).name
                raise ModelError(f"{name}: tensor '{tensor.name}' is {kind}; export the model in float32")


def _network(model: Model, calibration: Calibration) -> Network:
    found = tuple(layers(model.graph))
    operands = tuple(dict.fromkeys(name for name, _ in constants(model.graph)))
    units = tuple(normalizations(model.graph))
    tensors = model.graph.tensors()
    names = {name for layer in found for name in (layer.weight, layer.bias) if name} | set(operands)
    names |= {name for unit in units for name in (unit.scale, unit.offset)}
    values = {name: constant_value(tensors[name]).astype(np.float32) for name in sorted(names)}
    joined = tuple(concatenated(model.graph))
    entries = frozenset(tensor.name for tensor in model.graph.inputs)
    for_layers = read_by_layers_alone(model.graph)
    return Network(found, operands, values, calibration.histograms, joined, units, entries, for_layers)
