"""What an op of this project is."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import onnx

from qonnx_tools.arithmetic.formats import Format
from qonnx_tools.errors import ConfigError

DOMAIN = "qonnx_tools.ops"
DOMAIN_VERSION = 1
QONNX_DOMAINS = ("qonnx.custom_op.general", "onnx.brevitas", "finn.custom_op.general")
"""The domain of the QONNX dialect, and those that Brevitas and FINN wrote before it."""

FLOAT = ("tensor(float)",)
INT64 = ("tensor(int64)",)
NUMBER = ("tensor(float)", "tensor(double)", "tensor(int8)", "tensor(uint8)", "tensor(int32)", "tensor(int64)")
"""Element types in which exporters write a count of bits."""

AttributeValue = int | str


@dataclass(frozen=True)
class Input:
    """A tensor that an op reads."""

    name: str
    doc: str
    types: tuple[str, ...] = FLOAT
    optional: bool = False


@dataclass(frozen=True)
class Attribute:
    """An integer or string attribute; one without a default must be given."""

    name: str
    doc: str
    default: AttributeValue | None = None
    kind: type[int] | type[str] = int


class Op(ABC):
    """One op: a function of tensors whose one output ``y`` has the type and shape of its first input.

    The class variables define its schema; the docstring of the class is the schema's documentation.
    """

    domains: ClassVar[tuple[str, ...]]
    name: ClassVar[str]
    since_version: ClassVar[int] = 1
    inputs: ClassVar[tuple[Input, ...]]
    outputs: ClassVar[tuple[str, ...]] = ("y",)
    attributes: ClassVar[tuple[Attribute, ...]] = ()

    @property
    def doc(self) -> str:
        return type(self).__doc__ or ""

    @abstractmethod
    def compute(self, inputs: Sequence[npt.NDArray[Any]], attributes: Mapping[str, Any]) -> npt.NDArray[np.float32]:
        """Compute ``y`` in numpy. Every attribute is present."""

    def body(self, opset: int) -> onnx.FunctionProto | None:  # noqa: ARG002 - for those that have one
        """Return the same function in standard ONNX of the default domain's ``opset``, if there is one."""
        return None

    def reference(
        self, inputs: Sequence[npt.NDArray[Any]], attributes: Mapping[str, AttributeValue] | None = None
    ) -> tuple[npt.NDArray[np.float32], ...]:
        """Compute the outputs in numpy: the definition that body and kernel equal to the bit.

        Raises:
            ConfigError: an attribute is unknown, missing or out of range, the inputs are too few or too many, or
                a parameter does not broadcast to the first input.
        """
        fewest = sum(not wanted.optional for wanted in self.inputs)
        if not fewest <= len(inputs) <= len(self.inputs):
            raise ConfigError(f"{self.name} has {len(inputs)} inputs; it takes {fewest} to {len(self.inputs)}")
        for given, wanted in zip(inputs, self.inputs, strict=False):
            check_broadcast(f"{self.name}: input '{wanted.name}'", np.shape(given), np.shape(inputs[0]))
        return (self.compute(inputs, self.complete(attributes or {})),)

    def complete(self, attributes: Mapping[str, AttributeValue]) -> dict[str, AttributeValue]:
        """Return ``attributes`` with defaults filled in; ``ConfigError`` names an unknown or missing one."""
        known = {attribute.name: attribute for attribute in self.attributes}
        for name, value in attributes.items():
            if name not in known:
                raise ConfigError(f"{self.name} has no attribute '{name}'; it knows {', '.join(known) or 'none'}")
            if not isinstance(value, known[name].kind):
                raise ConfigError(f"{self.name}: attribute '{name}' is {value!r}; give {known[name].kind.__name__}")
        filled = {name: attributes.get(name, attribute.default) for name, attribute in known.items()}
        missing = [name for name, value in filled.items() if value is None]
        if missing:
            raise ConfigError(f"{self.name}: attribute '{missing[0]}' is missing")
        return {name: value for name, value in filled.items() if value is not None}


class FormatOp(Op):
    """An op that replaces each number by its nearest in a format: ``y = format.quantize(x, rounding)``.

    Its second input is the parameter of the format that may differ per channel; the other parameters are attributes,
    ``rounding`` being the position of the rule among the format's ``roundings``.
    """

    format: ClassVar[type[Format]]

    @abstractmethod
    def format_of(self, attributes: Mapping[str, Any], parameter: Any) -> Format:
        """Return the format of a node: every attribute is present, ``parameter`` is a number or a tuple."""

    @abstractmethod
    def parameters_of(self, number_format: Any) -> tuple[npt.NDArray[Any], dict[str, AttributeValue]]:
        """Return the second input, 0-d or ``[C]``, and the attributes but ``rounding``, for a format."""

    def compute(self, inputs: Sequence[npt.NDArray[Any]], attributes: Mapping[str, Any]) -> npt.NDArray[np.float32]:
        x, parameter = inputs
        rounding = choice("rounding", attributes["rounding"], list(self.format.roundings))
        return by_parameter(x, parameter, lambda each, part: self.format_of(attributes, each).quantize(part, rounding))


def check_broadcast(what: str, shape: tuple[int, ...], target: tuple[int, ...]) -> None:
    """Raise ``ConfigError`` unless ``shape`` broadcasts to ``target`` and leaves it as it is."""
    padded = (1,) * (len(target) - len(shape)) + shape
    if len(padded) != len(target) or any(size not in {1, full} for size, full in zip(padded, target, strict=True)):
        raise ConfigError(f"{what} has shape {list(shape)}, which does not broadcast to {list(target)}")


def by_parameter(
    x: npt.ArrayLike,
    parameter: npt.ArrayLike,
    quantize: Callable[[Any, npt.NDArray[np.float32]], npt.NDArray[np.float32]],
) -> npt.NDArray[np.float32]:
    """Apply ``quantize(value, elements)`` to the elements of ``x`` that each value of ``parameter`` serves."""
    real = np.asarray(x, dtype=np.float32)
    values = np.asarray(parameter)
    values = values.reshape((1,) * (real.ndim - values.ndim) + values.shape)
    y = np.empty_like(real)
    for place in np.ndindex(values.shape):
        part = tuple(slice(None) if size == 1 else at for at, size in zip(place, values.shape, strict=True))
        y[part] = quantize(values[place].item(), real[part])
    return y


def choice(name: str, value: int, options: Sequence[str]) -> str:
    """Return the option that an integer attribute stands for; ``ConfigError`` if there is none."""
    if not 0 <= value < len(options):
        meanings = ", ".join(f"{position} {option}" for position, option in enumerate(options))
        raise ConfigError(f"attribute '{name}' is {value}; choose one of {meanings}")
    return options[value]
