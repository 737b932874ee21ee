"""The plan: a number format for every tensor, and its JSON file.

A scheme proposes a plan, a person may edit it, and ``convert`` applies it. Everything after the plan is
deterministic.
"""

import dataclasses
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from qonnx_tools.arithmetic.formats import Format, format_kinds
from qonnx_tools.errors import ConfigError
from qonnx_tools.feature_map_plan import (
    FeatureMapPlan,
    feature_map_from_json,
    feature_map_to_json,
    why_not_compressed,
)
from qonnx_tools.fitted import Fitted, read_fitted, write_fitted
from qonnx_tools.replacing import replacing
from qonnx_tools.strict_json import checked, parse_json

VERSION = 1
"""Version of the JSON layout; a reader refuses any other."""
WIDEST_ACCUMULATOR = 64
FITTED_SUFFIX = ".fitted.npz"
"""Ends the name of the file with the fitted values of a plan."""


class Role(StrEnum):
    """What a tensor is to the accelerator."""

    WEIGHT = "weight"
    BIAS = "bias"
    CONSTANT = "constant"
    """A constant operand of an elementwise operator."""
    BATCH_NORM = "batch_norm"
    """Scale or offset of a batch normalization that is not folded."""
    ACTIVATION = "activation"


class BatchNorm(StrEnum):
    """What becomes of batch normalization."""

    FOLD = "fold"
    """Into the weights and bias of the neighbouring layer."""
    MERGE = "merge"
    """One multiplication and one addition a channel behind the accumulator, before its one rounding."""
    SEPARATE = "separate"
    """A unit of its own: the convolution's result is stored in a format of its own first."""


@dataclass(frozen=True)
class TensorPlan:
    """The format of one tensor.

    ``rounding`` is a name that the format knows; None is the format's default. ``axis`` is the channel
    dimension of a per-channel format.
    """

    role: Role
    format: Format
    rounding: str | None = None
    axis: int | None = None

    def __post_init__(self) -> None:
        if (self.format.channels is None) != (self.axis is None):
            raise ConfigError("axis goes with per-channel parameters: give both or neither")
        if self.rounding is not None:
            self.format.rounding_code(self.rounding)


@dataclass(frozen=True)
class Plan:
    """Formats by tensor name, with the scheme that proposed them.

    Names are those of the canonical graph with batch normalization treated as ``batch_norm`` says.
    ``accumulator_bits`` is the width of the accumulators, ``accumulators`` that of single layers by node name; 0 is the
    smallest width that no input overflows, which wider ones are brought down to, too. Narrower ones wrap.
    ``fitted`` are values of constants that take the place of the trained ones: weights and biases chosen by what they
    do to the outputs of their layer. ``feature_maps`` are the activations that are stored compressed.
    """

    scheme: str = ""
    batch_norm: BatchNorm = BatchNorm.FOLD
    tensors: Mapping[str, TensorPlan] = field(default_factory=dict)
    accumulator_bits: int = 0
    accumulators: Mapping[str, int] = field(default_factory=dict)
    fitted: Fitted = field(default_factory=Fitted)
    feature_maps: Mapping[str, FeatureMapPlan] = field(default_factory=dict)

    def __post_init__(self) -> None:
        chosen = {"accumulator_bits": self.accumulator_bits}
        chosen |= {f"accumulators['{layer}']": bits for layer, bits in self.accumulators.items()}
        for place, bits in chosen.items():
            if not 0 <= bits <= WIDEST_ACCUMULATOR:
                raise ConfigError(
                    f"{place}: {bits} is out of range; give 1 to {WIDEST_ACCUMULATOR} bits, or 0 for safe"
                )
        for name in self.feature_maps:
            tensor = self.tensors.get(name)
            reason = "the plan has no such tensor" if tensor is None else why_not_compressed(tensor.format)
            if reason is None and tensor is not None and tensor.role is not Role.ACTIVATION:
                reason = f"it is a {tensor.role}, no activation"
            if reason is not None:
                raise ConfigError(f"feature_maps['{name}']: {reason}; take it out")

    @property
    def chooses_accumulators(self) -> bool:
        """Whether any accumulator has another width than the safe one."""
        return any([self.accumulator_bits, *self.accumulators.values()])


def plan_files(plan: Plan, path: str | os.PathLike[str]) -> dict[Path, Callable[[Path], None]]:
    """Return the files that hold ``plan``, each with what writes it, to its own place or to another.

    Fitted values go into a second file beside the JSON, which names it: ``NAME.fitted.npz`` for ``NAME.json``. Writing
    raises ``ConfigError`` if it cannot.
    """
    target = Path(path)
    values = target.with_name(f"{target.stem}{FITTED_SUFFIX}")

    def write_values(place: Path) -> None:
        with _refused(target):
            write_fitted(plan.fitted, place)

    def write_json(place: Path) -> None:
        with _refused(target):
            place.write_text(plan_to_json(plan, values.name if plan.fitted else ""), encoding="utf-8")

    return {values: write_values, target: write_json} if plan.fitted else {target: write_json}


def save_plan(plan: Plan, path: str | os.PathLike[str]) -> None:
    """Write the :func:`plan_files`: beside their places first, then renamed. Raises ``ConfigError`` if it cannot."""
    files = plan_files(plan, path)
    with _refused(path), replacing(*files) as places:
        for place, write in zip(places, files.values(), strict=True):
            write(place)


@contextmanager
def _refused(path: str | os.PathLike[str]) -> Iterator[None]:
    """Say of which plan it is that the system refuses to write a file."""
    try:
        yield
    except OSError as error:
        raise ConfigError(f"plan '{path}' cannot be written: {error.strerror}") from error


def load_plan(path: str | os.PathLike[str]) -> Plan:
    """Read a plan, and the fitted values beside it. Raises ``ConfigError`` that names the file and the place in it."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"plan '{path}' cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"plan '{path}' is not UTF-8 text; is it a plan file?") from error
    try:
        return plan_from_json(text, Path(path).parent)
    except ConfigError as error:
        raise ConfigError(f"plan '{path}': {error}") from error


def plan_to_json(plan: Plan, fitted: str = "") -> str:
    """Return the JSON text of ``plan``, tensors in their order, one line a tensor; ``fitted`` names its other file."""
    head: dict[str, object] = {"version": VERSION, "scheme": plan.scheme, "batch_norm": plan.batch_norm}
    if plan.accumulator_bits:
        head["accumulator_bits"] = plan.accumulator_bits
    if plan.accumulators:
        head["accumulators"] = dict(plan.accumulators)
    if fitted:
        head["fitted"] = fitted
    lines = [f"  {json.dumps(key)}: {json.dumps(value)}," for key, value in head.items()]
    blocks = [_block("tensors", {name: tensor_to_json(of) for name, of in plan.tensors.items()})]
    if plan.feature_maps:
        blocks.append(_block("feature_maps", {name: feature_map_to_json(of) for name, of in plan.feature_maps.items()}))
    return "\n".join(["{", *lines, ",\n".join(blocks), "}", ""])


def _block(key: str, documents: Mapping[str, dict[str, Any]]) -> str:
    body = ",\n".join(f"    {json.dumps(name)}: {json.dumps(document)}" for name, document in documents.items())
    return "\n".join([f"  {json.dumps(key)}: {{", *([body] if body else []), "  }"])


def plan_from_json(text: str, folder: Path | None = None) -> Plan:
    """Return the plan that ``text`` holds; a file of fitted values lies in ``folder``.

    Strict: an unknown or missing key is a ``ConfigError`` that says where.
    """
    wire = checked(_PlanFields, parse_json(text), "")
    if wire.version != VERSION:
        raise ConfigError(f"version: {wire.version} is not known; this release reads version {VERSION}")
    tensors = {name: tensor_from_json(value, f"tensors['{name}']") for name, value in wire.tensors.items()}
    if wire.fitted and Path(wire.fitted).name != wire.fitted:
        raise ConfigError(f"fitted: '{wire.fitted}' is not the name of a file beside the plan")
    fitted = read_fitted((folder or Path()) / wire.fitted) if wire.fitted else Fitted()
    maps = {name: feature_map_from_json(value, f"feature_maps['{name}']") for name, value in wire.feature_maps.items()}
    return Plan(wire.scheme, wire.batch_norm, tensors, wire.accumulator_bits, wire.accumulators, fitted, maps)


@dataclass(frozen=True)
class _PlanFields:
    version: int
    scheme: str
    batch_norm: BatchNorm
    tensors: dict[str, dict[str, Any]]
    accumulator_bits: int = 0
    accumulators: dict[str, int] = field(default_factory=dict)
    fitted: str = ""
    feature_maps: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True)
class _TensorFields:
    role: Role
    format: dict[str, Any]
    rounding: str | None = None
    axis: int | None = None


def tensor_to_json(tensor: TensorPlan) -> dict[str, Any]:
    """Return ``tensor`` as JSON data, as it stands in a plan."""
    optional = {"rounding": tensor.rounding, "axis": tensor.axis}
    given = {key: value for key, value in optional.items() if value is not None}
    return {"role": tensor.role, "format": format_to_json(tensor.format), **given}


def tensor_from_json(document: dict[str, Any], where: str) -> TensorPlan:
    """Return the tensor that JSON data describe; ``ConfigError`` says where in ``where`` they are wrong."""
    fields = checked(_TensorFields, document, where)
    number_format = format_from_json(fields.format, f"{where}.format")
    try:
        return TensorPlan(fields.role, number_format, fields.rounding, fields.axis)
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from error


def format_to_json(of: Format) -> dict[str, Any]:
    """Return a format as JSON data: its kind and its parameters."""
    return {"kind": of.kind, **{item.name: getattr(of, item.name) for item in dataclasses.fields(of)}}


def format_from_json(document: dict[str, Any], where: str) -> Format:
    """Return the format that JSON data describe; ``ConfigError`` says where in ``where`` they are wrong."""
    parameters = dict(document)
    kind = parameters.pop("kind", None)
    kinds = format_kinds()
    if not isinstance(kind, str) or kind not in kinds:
        raise ConfigError(f"{where}.kind: {kind!r} is not known; choose one of {', '.join(sorted(kinds))}")
    try:
        found: Format = checked(kinds[kind], parameters, where)
    except ConfigError as error:
        raise ConfigError(str(error) if where in str(error) else f"{where}: {error}") from error
    return found
