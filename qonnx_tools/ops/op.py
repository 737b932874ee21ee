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

AttributeValue = int | str | Sequence[int]


@dataclass(frozen=True)
class Input:
    """A tensor that an op reads."""

    name: str
    doc: str
    types: tuple[str, ...] = FLOAT
    optional: bool = False
    default: int | None = None
    """What an optional input is where a node leaves it out; None: its absence has a meaning of its own."""


@dataclass(frozen=True)
class Attribute:
    """An integer, a string or a list of integers; one without a default must be given."""

    name: str
    doc: str
    default: AttributeValue | None = None
    kind: type[int] | type[str] | type[tuple[int, ...]] = int


class Op(ABC):
    """One op: a function of tensors with one output ``y``.

    The class variables define its schema; the docstring of the class is the schema's documentation. Unless an op says
    otherwise it is a quantizer on floats: y has the type and shape of its first input, to which the others broadcast.
    """

    domains: ClassVar[tuple[str, ...]]
    name: ClassVar[str]
    since_version: ClassVar[int] = 1
    inputs: ClassVar[tuple[Input, ...]]
    outputs: ClassVar[tuple[str, ...]] = ("y",)
    output_types: ClassVar[tuple[str, ...]] = ()
    """Element types that the output may have; none where it has the type of the first input."""
    attributes: ClassVar[tuple[Attribute, ...]] = ()

    @property
    def doc(self) -> str:
        return type(self).__doc__ or ""

    @property
    def calls(self) -> tuple[tuple[str, str], ...]:
        """Domain and name of the ops of the project that the body calls; none where it is standard ONNX alone."""
        return ()

    @abstractmethod
    def compute(self, inputs: Sequence[npt.NDArray[Any]], attributes: Mapping[str, Any]) -> npt.NDArray[Any]:
        """Compute ``y`` in numpy. Every attribute is present, and every input that has a default."""

    def check(self, inputs: Sequence[npt.NDArray[Any]]) -> None:
        """Raise ``ConfigError`` where the shapes of the inputs do not fit each other."""
        for given, wanted in zip(inputs, self.inputs, strict=False):
            check_broadcast(f"{self.name}: input '{wanted.name}'", np.shape(given), np.shape(inputs[0]))

    def stand_in(self, node: onnx.NodeProto) -> list[onnx.NodeProto]:
        """Return standard nodes whose output has the type and shape of this ``node``'s: its rule for inference.

        They read the node's inputs and write its output; what they compute does not matter.
        """
        return [onnx.helper.make_node("Identity", node.input[:1], node.output[:1], name=node.name)]

    def body(self, opset: int) -> onnx.FunctionProto | None:  # noqa: ARG002 - for those that have one
        """Return the same function in standard ONNX of the default domain's ``opset``, if there is one."""
        return None

    def reference(
        self, inputs: Sequence[npt.NDArray[Any] | None], attributes: Mapping[str, AttributeValue] | None = None
    ) -> tuple[npt.NDArray[Any], ...]:
        """Compute the outputs in numpy: the definition that body and kernel equal to the bit.

        Args:
            inputs: as many as the node has; None for an optional one that it leaves out before others.
            attributes: those that the node has.

        Raises:
            ConfigError: an attribute is unknown, missing or out of range, the inputs are too few or too many, or
                their shapes do not fit each other.
        """
        given = [None if value is None else np.asarray(value) for value in inputs]
        fewest = sum(not wanted.optional for wanted in self.inputs)
        if not fewest <= len(given) <= len(self.inputs) or any(value is None for value in given[:fewest]):
            raise ConfigError(f"{self.name} has {len(given)} inputs; it takes {fewest} to {len(self.inputs)}")
        given += [None] * (len(self.inputs) - len(given))
        filled = [
            np.array(wanted.default) if value is None and wanted.default is not None else value
            for value, wanted in zip(given, self.inputs, strict=True)
        ]
        complete = [value for value in filled if value is not None]
        self.check(complete)
        return (self.compute(complete, self.complete(attributes or {})),)

    def complete(self, attributes: Mapping[str, AttributeValue]) -> dict[str, AttributeValue]:
        """Return ``attributes`` with defaults filled in; ``ConfigError`` names an unknown or missing one."""
        known = {attribute.name: attribute for attribute in self.attributes}
        for name, value in attributes.items():
            if name not in known:
                raise ConfigError(f"{self.name} has no attribute '{name}'; it knows {', '.join(known) or 'none'}")
            if not _is_a(value, known[name].kind):
                wanted = "a list of int" if known[name].kind is tuple else known[name].kind.__name__
                raise ConfigError(f"{self.name}: attribute '{name}' is {value!r}; give {wanted}")
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
    def parameters_of(self, number_format: Any) -> tuple[npt.NDArray[Any], dict[str, int | str]]:
        """Return the second input, 0-d or ``[C]``, and the attributes but ``rounding``, for a format."""

    def compute(self, inputs: Sequence[npt.NDArray[Any]], attributes: Mapping[str, Any]) -> npt.NDArray[np.float32]:
        x, parameter = np.asarray(inputs[0], np.float32), inputs[1]
        rounding = choice("rounding", attributes["rounding"], list(self.format.roundings))
        return by_parameter(x, parameter, lambda each, part: self.format_of(attributes, each).quantize(part, rounding))


def _is_a(value: object, kind: type) -> bool:
    if kind is tuple:
        return isinstance(value, list | tuple) and all(isinstance(each, int) for each in value)
    return isinstance(value, kind)


def check_broadcast(what: str, shape: tuple[int, ...], target: tuple[int, ...]) -> None:
    """Raise ``ConfigError`` unless ``shape`` broadcasts to ``target`` and leaves it as it is."""
    padded = (1,) * (len(target) - len(shape)) + shape
    if len(padded) != len(target) or any(size not in {1, full} for size, full in zip(padded, target, strict=True)):
        raise ConfigError(f"{what} has shape {list(shape)}, which does not broadcast to {list(target)}")


def by_parameter(
    x: npt.NDArray[Any],
    parameter: npt.NDArray[Any],
    function: Callable[[Any, npt.NDArray[Any]], npt.NDArray[Any]],
    dtype: npt.DTypeLike = np.float32,
) -> npt.NDArray[Any]:
    """Apply ``function(value, elements)`` to the elements of ``x`` that each value of ``parameter`` serves.

    What it returns is kept in ``dtype``, which must hold it.
    """
    values = parameter.reshape((1,) * (x.ndim - parameter.ndim) + parameter.shape)
    y = np.empty(x.shape, dtype)
    for place in np.ndindex(values.shape):
        part = tuple(slice(None) if size == 1 else at for at, size in zip(place, values.shape, strict=True))
        y[part] = function(values[place].item(), x[part])
    return y


def choice(name: str, value: int, options: Sequence[str]) -> str:
    """Return the option that an integer attribute stands for; ``ConfigError`` if there is none."""
    if not 0 <= value < len(options):
        meanings = ", ".join(f"{position} {option}" for position, option in enumerate(options))
        raise ConfigError(f"attribute '{name}' is {value}; choose one of {meanings}")
    return options[value]
