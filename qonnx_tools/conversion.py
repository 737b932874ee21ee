"""From a trained model to the graph that an accelerator computes."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

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
from qonnx_tools.passes.insert_quantizers import InsertQuantizers
from qonnx_tools.passes.lower_to_native import LowerToNative
from qonnx_tools.passes.reduce_batch_norm import ReduceBatchNorm
from qonnx_tools.passes.registry import registered_passes
from qonnx_tools.passes.separate_layer_inputs import SeparateLayerInputs, separable, separated
from qonnx_tools.pipeline import PassReport, canonicalize, run_passes
from qonnx_tools.plan import BatchNorm, Plan, load_plan
from qonnx_tools.quantizers import is_quantizing
from qonnx_tools.reconstruction.outputs import fit_to_outputs
from qonnx_tools.schemes.base import Scheme, make_scheme
from qonnx_tools.schemes.network import Network
from qonnx_tools.targets import (
    NATIVE,
    NarrowAccumulator,
    check_accumulators,
    check_target,
    lowering,
    narrow_accumulators,
)
from qonnx_tools.topology import (
    activations,
    concatenated,
    constants,
    layers,
    normalizations,
    read_by_layers_alone,
)

CALIBRATION_IMAGES = 512

TREATMENTS: Mapping[BatchNorm, tuple[Pass, ...]] = {
    BatchNorm.FOLD: (FoldBatchNorm(), ReduceBatchNorm()),
    BatchNorm.MERGE: (ReduceBatchNorm(),),
    BatchNorm.SEPARATE: (ReduceBatchNorm(),),
}
"""The passes that give batch normalization the form that a plan asks for."""


@dataclass(frozen=True)
class Conversion:
    """A converted model, the plan behind it, and how it came about.

    ``calibration`` is None where the plan was given. ``left`` names the tensors that have no format, with reasons;
    ``narrow`` the layers whose accumulator the plan makes narrower than is safe.
    """

    model: Model
    plan: Plan
    target: str
    reports: tuple[PassReport, ...]
    left: tuple[Skip, ...]
    calibration: Calibration | None
    narrow: tuple[NarrowAccumulator, ...] = ()

    @property
    def in_float(self) -> tuple[Skip, ...]:
        """The nodes that the target "native" leaves in float, with reasons; none for another target."""
        lowered = [report for report in self.reports if report.name == LowerToNative.name]
        return tuple(outcome for report in lowered for outcome in report.outcomes if isinstance(outcome, Skip))


def convert(
    model: str | os.PathLike[str] | onnx.ModelProto | Model,
    *,
    scheme: str | Scheme | None = None,
    plan: Plan | str | os.PathLike[str] | None = None,
    data: Dataset | str | os.PathLike[str] | None = None,
    images: int = CALIBRATION_IMAGES,
    preprocessing: Preprocessing | None = None,
    overrides: Iterable[str] = (),
    passes: Iterable[str] = (),
    target: str = NATIVE,
    strict: bool = False,
    progress: Progress | None = None,
    fitting: Progress | None = None,
    **options: Any,
) -> Conversion:
    """Quantize ``model``: canonicalize, treat batch normalization, make a plan, insert its quantizers.

    Args:
        model: a file, or a model in memory, which stays as it is.
        scheme: the scheme that proposes the plan, by name or with its options; None is "fixed".
        plan: a plan, or its file; then no data are read, and the scheme and its options are refused.
        data: calibration images (labels are not read); None calibrates without data.
        images: how many of them at most.
        preprocessing: what turns pixels into the model's input; without data it shapes the synthetic images.
        overrides: options for single layers or tensors, ``PATTERN:option=value[,option=value]``.
        passes: names of further passes to run on the canonical graph, in order: those of other packages, say.
        target: "native" for integer codes on the wires, "simulation" for quantizers on floats, or T for the pass
            "lower-to-T" to lower the quantized graph with.
        strict: whether a node that the target "native" leaves in float is an error.
        progress: called with (done, total) calibration images.
        fitting: called with (done, total) layers whose weights are fitted to their outputs.
        **options: options of the scheme, such as ``weight_bits=4``.

    Raises:
        QonnxToolsError: the input is at fault; the message says which and what to do.
    """
    if images < 1:
        raise ConfigError(f"images is {images}; calibration needs at least 1")
    given = load_plan(plan) if isinstance(plan, str | os.PathLike) else plan
    named = {key: value for key, value in options.items() if value is not None}
    single = tuple(overrides)
    if given is not None and (scheme is not None or named or single):
        raise ConfigError("a plan names every format already: edit it, or leave out the scheme and the format options")
    if given is not None and data is not None:
        raise ConfigError("a plan needs no calibration data: leave out either the plan or the data")
    if isinstance(scheme, Scheme) and (named or single):
        raise ConfigError(f"scheme {scheme.name} is given with its options; set the others there, too")
    proposer = scheme if isinstance(scheme, Scheme) else make_scheme(scheme or "fixed", named, single)
    extra = _passes_called(passes)
    check_target(target, strict=strict)
    work = _own(model)
    _check_convertible(work, os.fspath(model) if isinstance(model, str | os.PathLike) else "the model")
    reports = canonicalize(work) + run_passes(work, extra)
    with_batch_norm = from_proto(to_proto(work)) if given is None and data is None else work
    batch_norm = proposer.batch_norm if given is None else given.batch_norm
    reports += run_passes(work, TREATMENTS[batch_norm])
    apart = separated(given.tensors) if given is not None else _separate(work, proposer)
    if apart:
        reports += run_passes(work, [SeparateLayerInputs(apart)])
        run_passes(with_batch_norm, [SeparateLayerInputs(apart)])
    chosen, left = activations(work.graph, merged=batch_norm is BatchNorm.MERGE)
    calibration = None
    if given is None:
        if data is None:
            calibration = calibrate_without_data(with_batch_norm, chosen, preprocessing)
        else:
            dataset = data if isinstance(data, Dataset) else _open(os.fspath(data), preprocessing, work)
            calibration = calibrate(work, chosen, dataset, images, progress)
        network = _network(work, calibration)
        given = proposer.propose(network)
        if data is not None:
            given = fit_to_outputs(work, network, given, proposer, dataset, images, fitting)
    _set_fitted(work, given)
    reports += run_passes(work, [InsertQuantizers(given)])
    check_accumulators(work, given, target)
    reports += run_passes(work, lowering(target, given, strict=strict))
    narrow = narrow_accumulators(work) if given.chooses_accumulators else ()
    return Conversion(work, given, target, tuple(reports), tuple(left), calibration, narrow)


def _passes_called(names: Iterable[str]) -> list[Pass]:
    known, called = registered_passes(), []
    for name in names:
        if name not in known:
            raise ConfigError(f"pass '{name}' is unknown; there are {', '.join(known)}")
        called.append(known[name]())
    return called


def _separate(model: Model, scheme: Scheme) -> frozenset[str]:
    """Return the tensors of which layers read another format than other nodes do."""
    entries = {tensor.name for tensor in model.graph.inputs}
    return frozenset(name for name in separable(model.graph) if scheme.separates(is_entry=name in entries))


def _own(model: str | os.PathLike[str] | onnx.ModelProto | Model) -> Model:
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


def _open(source: str, preprocessing: Preprocessing | None, model: Model) -> Dataset:
    return open_data(source, preprocessing, tuple(model.graph.inputs[0].shape or ()))


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


def _set_fitted(model: Model, plan: Plan) -> None:
    """Give the constants of the model the values that the plan has for them."""
    tensors = model.graph.tensors()
    for name, value in plan.fitted.items():
        tensor = tensors.get(name)
        if tensor is None or not is_constant(tensor):
            raise ConfigError(f"the plan has fitted values for '{name}', which is no constant of the model")
        if tuple(tensor.shape) != value.shape:
            shapes = f"{list(value.shape)}, not {list(tensor.shape)}"
            raise ConfigError(f"the plan's fitted values for '{name}' have shape {shapes}: they are of another model")
        tensor.values = value
