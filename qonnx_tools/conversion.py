"""From a trained model to the graph that an accelerator computes."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import onnx

from qonnx_tools.calibration import Calibration, Progress
from qonnx_tools.compression.choice import chosen_maps
from qonnx_tools.compression.images import TuningImages
from qonnx_tools.compression.options import FeatureMapOptions
from qonnx_tools.compression.tuning import Tuned, Tuning
from qonnx_tools.compression.uniform import uniform_maps
from qonnx_tools.data import Dataset, Preprocessing
from qonnx_tools.deviation import Deviation, deviation
from qonnx_tools.errors import ConfigError, InexactError
from qonnx_tools.feature_map_plan import FeatureMapPlan
from qonnx_tools.graph import Model, from_proto, is_constant, load, to_proto
from qonnx_tools.importing import import_quantized, is_importable
from qonnx_tools.outcome import Skip
from qonnx_tools.passes.compress_feature_maps import CompressFeatureMaps
from qonnx_tools.passes.insert_quantizers import InsertQuantizers
from qonnx_tools.passes.lower_to_native import LowerToNative
from qonnx_tools.passes.separate_layer_inputs import separable, separated
from qonnx_tools.pipeline import PassReport, run_passes
from qonnx_tools.plan import Plan, load_plan
from qonnx_tools.preparation import Prepared, Source, look_at, open_images, prepare
from qonnx_tools.reconstruction.outputs import fit_to_outputs
from qonnx_tools.schemes.base import Scheme, make_scheme
from qonnx_tools.targets import (
    NATIVE,
    SIMULATION,
    NarrowAccumulator,
    check_accumulators,
    check_feature_maps,
    check_target,
    fix_batch,
    inexact,
    lowering,
    narrow_accumulators,
    plain_interface,
    to_codes,
)

CALIBRATION_IMAGES = 512


@dataclass(frozen=True)
class Goal:
    """What a plan is carried out as: a target, perhaps for a tool, and what is refused of it."""

    target: str
    tool: str | None = None
    allow_inexact: bool = False
    strict: bool = False


@dataclass(frozen=True)
class Conversion:
    """A converted model, the plan behind it, and how it came about.

    ``calibration`` is None where the plan was given. ``left`` names the tensors that have no format, with reasons;
    ``narrow`` the layers whose accumulator the plan makes narrower than is safe. ``tuned`` says how feature maps
    came to be compressed, None where that was not asked for. ``tool`` is what the graph was made for; ``inexact`` are
    the nodes that the target does not carry exactly, which was allowed, and ``deviation`` says by how much its outputs
    then differ from those of the native graph.
    """

    model: Model
    plan: Plan
    target: str
    reports: tuple[PassReport, ...]
    left: tuple[Skip, ...]
    calibration: Calibration | None
    narrow: tuple[NarrowAccumulator, ...] = ()
    tuned: Tuned | None = None
    tool: str | None = None
    inexact: tuple[Skip, ...] = ()
    deviation: Deviation | None = None

    @property
    def in_float(self) -> tuple[Skip, ...]:
        """The nodes that the target "native" leaves in float, with reasons; none for another target."""
        lowered = [report for report in self.reports if report.name == LowerToNative.name]
        return tuple(outcome for report in lowered for outcome in report.outcomes if isinstance(outcome, Skip))


def convert(
    model: Source,
    *,
    scheme: str | Scheme | None = None,
    plan: Plan | str | os.PathLike[str] | None = None,
    data: Dataset | str | os.PathLike[str] | None = None,
    images: int = CALIBRATION_IMAGES,
    preprocessing: Preprocessing | None = None,
    overrides: Iterable[str] = (),
    passes: Iterable[str] = (),
    target: str = NATIVE,
    tool: str | None = None,
    allow_inexact: bool = False,
    strict: bool = False,
    progress: Progress | None = None,
    fitting: Progress | None = None,
    feature_maps: FeatureMapOptions | None = None,
    tuning: Progress | None = None,
    **options: Any,
) -> Conversion:
    """Quantize ``model``: canonicalize, treat batch normalization, make a plan, insert its quantizers.

    Args:
        model: a file, or a model in memory, which stays as it is. A quantized one (QONNX, or pairs of QuantizeLinear
            and DequantizeLinear) brings its plan along.
        scheme: the scheme that proposes the plan, by name or with its options; None is "fixed".
        plan: a plan, or its file; then no data are read, and the scheme and its options are refused.
        data: calibration images (labels are not read); None calibrates without data.
        images: how many of them at most.
        preprocessing: what turns pixels into the model's input; without data it shapes the synthetic images.
        overrides: options for single layers or tensors, ``PATTERN:option=value[,option=value]``.
        passes: names of further passes to run on the canonical graph, in order: those of other packages, say.
        target: "native" for integer codes on the wires, "simulation" for quantizers on floats, or T for the pass
            "lower-to-T" to lower the quantized graph with.
        tool: the tool that a graph of the target "qonnx" is for: "hls4ml" or "finn"; None is any.
        allow_inexact: whether to write a graph that does not carry the plan exactly, and measure by how much; otherwise
            that is an error.
        strict: whether a node that the target "native" leaves in float is an error.
        progress: called with (done, total) calibration images.
        fitting: called with (done, total) layers whose weights are fitted to their outputs.
        feature_maps: how feature maps are stored compressed, in place of what a plan says of them.
        tuning: called with (done, total) feature maps that are tried, then with (done, total) evaluations.
        **options: options of the scheme, such as ``weight_bits=4``.

    Raises:
        QonnxToolsError: the input is at fault; the message says which and what to do.
    """
    named = {key: value for key, value in options.items() if value is not None}
    single = tuple(overrides)
    asked = scheme is not None or bool(named or single)
    if images < 1:
        raise ConfigError(f"images is {images}; calibration needs at least 1")
    if isinstance(scheme, Scheme) and (named or single):
        raise ConfigError(f"scheme {scheme.name} is given with its options; set the others there, too")
    _check_feature_map_images(feature_maps, data)
    given = load_plan(plan) if isinstance(plan, str | os.PathLike) else plan
    if given is not None:
        _check_planned(asked=asked, data=data, feature_maps=feature_maps)
    proposer = scheme if isinstance(scheme, Scheme) else make_scheme(scheme or "fixed", named, single)
    check_target(target, strict=strict, tool=tool)
    goal = Goal(target, tool, allow_inexact=allow_inexact, strict=strict)
    model, given, notes = _with_its_plan(model, given, asked=asked or data is not None)
    if given is not None:
        prepared = prepare_for(model, given, passes)
        prepared = replace(prepared, left=(*prepared.left, *notes))
        if feature_maps is None:
            return _apply_measured(prepared, given, goal, None, preprocessing)
        dataset = None if data is None else open_images(data, preprocessing, prepared.model)
        chosen, found = compressed(prepared, given, feature_maps, target, dataset, tuning)
        return replace(_apply_measured(prepared, chosen, goal, dataset, preprocessing), tuned=found)
    prepared = prepare(
        model,
        proposer.batch_norm,
        passes,
        partial(separated_by, proposer),
        merge_sums=proposer.merges_sums,
        keep_trained=data is None,
    )
    dataset = None if data is None else open_images(data, preprocessing, prepared.model)
    network, calibration = look_at(prepared, dataset, images, preprocessing, progress)
    chosen = proposer.propose(network)
    if dataset is not None:
        chosen = fit_to_outputs(prepared.model, network, chosen, proposer, dataset, images, fitting)
    tuned: Tuned | None = None
    if feature_maps is not None:
        chosen, tuned = compressed(prepared, chosen, feature_maps, target, dataset, tuning)
    made = _apply_measured(prepared, chosen, goal, dataset, preprocessing)
    return replace(made, calibration=calibration, tuned=tuned)


def _check_planned(*, asked: bool, data: object, feature_maps: FeatureMapOptions | None) -> None:
    """Raise ``ConfigError`` for what does not go with a plan."""
    if asked:
        raise ConfigError("a plan names every format already: edit it, or leave out the scheme and the format options")
    if data is not None and feature_maps is None:
        raise ConfigError("a plan needs no calibration data: leave out either the plan or the data")


def _check_feature_map_images(feature_maps: FeatureMapOptions | None, data: object) -> None:
    """Raise ``ConfigError`` where feature maps need images and there are none."""
    if feature_maps is not None and data is None and feature_maps.needs_images:
        raise ConfigError(f"{feature_maps.needs_images} needs calibration images: give data")


def _with_its_plan(model: Source, given: Plan | None, *, asked: bool) -> tuple[Source, Plan | None, tuple[Skip, ...]]:
    """Return a model of another exporter that is quantized as a float model, its plan, and notes on it.

    Any other model comes back as it is, with the plan that is ``given``. ``asked`` tells whether formats are asked for.
    """
    name = os.fspath(model) if isinstance(model, str | os.PathLike) else "the model"
    loaded = from_proto(model) if isinstance(model, onnx.ModelProto) else model
    loaded = loaded if isinstance(loaded, Model) else load(loaded)
    if not is_importable(loaded):
        return model, given, ()
    if asked:
        raise ConfigError(
            "the model is quantized and has formats of its own: leave out the scheme, the format options and data"
        )
    found = import_quantized(loaded, name)
    return found.model, given or found.plan, found.notes


def prepare_for(model: Source, plan: Plan, passes: Iterable[str] = ()) -> Prepared:
    """Return ``model`` in the form that ``plan`` is for; see :func:`qonnx_tools.preparation.prepare`."""
    return prepare(model, plan.batch_norm, passes, partial(_separated_in, plan))


def apply(prepared: Prepared, plan: Plan, target: str, *, strict: bool = False) -> Conversion:
    """Quantize a model that is ready for ``plan``, in place, and lower it to ``target``."""
    return _apply(prepared, plan, Goal(target, strict=strict))


def _apply(prepared: Prepared, plan: Plan, goal: Goal) -> Conversion:
    work, target = prepared.model, goal.target
    check_feature_maps(plan, target)
    _set_fitted(work, plan)
    if goal.tool is not None:
        fix_batch(work)
    compressing = [CompressFeatureMaps(plan.feature_maps)] if plan.feature_maps else []
    reports = run_passes(work, [InsertQuantizers(plan), *compressing])
    check_accumulators(work, plan, target)
    if goal.tool is not None:
        plain_interface(work)
    reports += run_passes(work, to_codes(target, plan, strict=goal.strict))
    narrow = narrow_accumulators(work) if plan.chooses_accumulators else ()
    reports += run_passes(work, lowering(target, goal.tool, nearest=goal.allow_inexact))
    lost = inexact(work, reports, target, goal.tool)
    if lost and not goal.allow_inexact:
        raise InexactError(f"target {target}{f' for {goal.tool}' if goal.tool else ''}", lost)
    ran = (*prepared.reports, *reports)
    return Conversion(work, plan, target, ran, prepared.left, None, narrow, tool=goal.tool, inexact=lost)


def _apply_measured(
    prepared: Prepared, plan: Plan, goal: Goal, dataset: Dataset | None, preprocessing: Preprocessing | None
) -> Conversion:
    """Do the same, and measure by how much the outputs differ from the native graph's where that is allowed."""
    if not goal.allow_inexact:
        return _apply(prepared, plan, goal)
    native = copied(prepared)
    made = _apply(prepared, plan, goal)
    if not made.inexact:
        return made
    if goal.tool is not None:
        fix_batch(native.model)
    return replace(made, deviation=deviation(made.model, apply(native, plan, NATIVE).model, dataset, preprocessing))


def compressed(
    prepared: Prepared,
    plan: Plan,
    options: FeatureMapOptions,
    target: str,
    dataset: Dataset | None = None,
    progress: Progress | None = None,
) -> tuple[Plan, Tuned]:
    """Return ``plan`` with the feature maps of a model compressed as ``options`` say, and how that was found.

    Args:
        prepared: the model, which stays as it is.
        plan: of its formats.
        options: of the maps.
        target: of the conversion, refused before the work where it has no op for them.
        dataset: images, where ``options`` need some.
        progress: called with (done, total) maps, then with evaluations.
    """
    graph = prepared.model.graph
    start = uniform_maps(graph, plan, chosen_maps(graph, plan, options.at), options)
    plain = replace(plan, feature_maps={})
    check_feature_maps(replace(plan, feature_maps=start), target)
    tuned = Tuned(dict(start))
    if options.needs_images and dataset is not None:
        quantized = apply(copied(prepared), plain, SIMULATION).model
        images = TuningImages.of(dataset, compare=options.max_drop is not None)

        def build(maps: Mapping[str, FeatureMapPlan]) -> Model:
            return apply(copied(prepared), replace(plain, feature_maps=maps), NATIVE).model

        tuned = Tuning(quantized, start, options, images, progress).run(prepared.model, build)
    return replace(plan, feature_maps=tuned.maps), tuned


def copied(prepared: Prepared) -> Prepared:
    """Return ``prepared`` with a model of its own."""
    return replace(prepared, model=from_proto(to_proto(prepared.model)))


def _separated_in(plan: Plan, _: Model) -> frozenset[str]:
    return separated(plan.tensors)


def separated_by(scheme: Scheme, model: Model) -> frozenset[str]:
    """Return the tensors of which layers read another format than other nodes do, as ``scheme`` says."""
    entries = {tensor.name for tensor in model.graph.inputs}
    return frozenset(name for name in separable(model.graph) if scheme.separates(is_entry=name in entries))


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
