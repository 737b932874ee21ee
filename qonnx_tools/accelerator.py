"""The file in which a user describes an accelerator to a search: widths that it has, and what they cost on it.

TOML::

    version = 1
    unit = "LUT"
    accumulator_bits = 24           # optional: what its accumulators have

    [widths]                        # optional, each of them
    weights = [2, 4, 8]
    log_weights = [3, 4]
    biases = [16]
    activations = [4, 8]
    batch_norm = [16]

    [cost]
    memory_bit = 0.02               # of a stored bit; 0 if it is left out

    [cost.multiplier]               # of one product and its addition: a row for each width of the weights
    weight_bits = [2, 4, 8]
    input_bits = [4, 8]
    values = [[9, 15], [17, 31], [34, 64]]

``[cost.shifter]`` is the same for weights that are powers of two, ``[cost.log_adder]`` for log codes times log codes;
``[cost.shifter_sqrt2]`` and ``[cost.log_adder_sqrt2]`` for base sqrt(2), where it costs something else. Between two
widths of a table the cost is interpolated; beyond its ends it is not known, which is an error. ``log_weights`` are the
widths of weights in log codes, where they are others.
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path

import numpy as np

from qonnx_tools.cost import LayerWork, Work, cost_of
from qonnx_tools.errors import ConfigError
from qonnx_tools.hardware.shipped import cost_tables
from qonnx_tools.strict_json import checked

VERSION = 1
LOG_WEIGHTS = "log weights"
KINDS = {
    "weights": "weights",
    "biases": "bias",
    "activations": "activation",
    "batch_norm": "batch norm",
    "log_weights": LOG_WEIGHTS,
}
"""The widths of the file, and the kind of choice that each is for."""


@dataclass(frozen=True)
class Table:
    """The cost of one product by the widths of its operands, ascending: ``values[i][j]``."""

    weight_bits: list[int]
    input_bits: list[int]
    values: list[list[float]]

    def at(self, weight_bits: int, input_bits: int) -> float | None:
        """Return the cost of a product, interpolated; None beyond the ends of the table."""
        ends = (self.weight_bits[0], self.weight_bits[-1], self.input_bits[0], self.input_bits[-1])
        if not (ends[0] <= weight_bits <= ends[1] and ends[2] <= input_bits <= ends[3]):
            return None
        rows = [np.interp(input_bits, self.input_bits, row) for row in self.values]
        return float(np.interp(weight_bits, self.weight_bits, rows))


@dataclass(frozen=True)
class Costs:
    """What things cost on an accelerator, in its unit."""

    memory_bit: float = 0.0
    multiplier: Table | None = None
    shifter: Table | None = None
    log_adder: Table | None = None
    shifter_sqrt2: Table | None = None
    log_adder_sqrt2: Table | None = None

    def of(self, kind: str, steps: int | None) -> Table | None:
        """Return the table of a kind of product; that of base 2 where base sqrt(2) has none of its own."""
        own: Table | None = getattr(self, f"{kind}_sqrt2", None) if steps == 2 else None
        found: Table | None = own or getattr(self, kind)
        return found


@dataclass(frozen=True)
class Accelerator:
    """An accelerator: its widths by kind of choice, the width of its accumulators (0: as wide as is safe), its costs.

    ``file`` is where it was read from, for messages.
    """

    file: str
    unit: str
    accumulator_bits: int
    widths: Mapping[str, tuple[int, ...]]
    costs: Costs

    def product_cost(self, layer: LayerWork) -> float:
        """Return the cost of one product of ``layer``.

        Raises:
            ConfigError: the file does not say.
        """
        kind = "multiplier" if layer.weight_places is None else "log_adder" if layer.input_places else "shifter"
        table = self.costs.of(kind, layer.weight_steps)
        if table is None:
            raise ConfigError(f"accelerator '{self.file}' has no [cost.{kind}], which layer '{layer.name}' needs")
        found = table.at(layer.weight_bits, layer.input_bits)
        if found is None:
            raise ConfigError(
                f"accelerator '{self.file}': [cost.{kind}] does not reach {layer.weight_bits}-bit weights by "
                f"{layer.input_bits}-bit inputs; extend it, or leave those widths out of [widths]"
            )
        return found

    def cost(self, work: Work) -> float:
        """Return the cost of a network: its stored bits, and its products. Raises ``ConfigError`` likewise."""
        products = sum(layer.macs * self.product_cost(layer) for layer in work.layers)
        return self.costs.memory_bit * cost_of(work).memory_bits + products


def load_accelerator(path: str | os.PathLike[str]) -> Accelerator:
    """Read an accelerator: a file, or one of those that come with the package, by its name.

    Raises ``ConfigError`` that names the file and the place in it.
    """
    file = Path(path)
    source = file if file.exists() else cost_tables().get(str(path), file)
    try:
        document = tomllib.loads(source.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"accelerator '{path}' cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"accelerator '{path}' is not TOML: {error}") from error
    try:
        return _accelerator(str(path), checked(_Wire, document, ""))
    except ConfigError as error:
        raise ConfigError(f"accelerator '{path}': {error}") from error


@dataclass(frozen=True)
class _Wire:
    version: int
    unit: str = ""
    accumulator_bits: int = 0
    widths: dict[str, list[int]] = field(default_factory=dict)
    cost: Costs = field(default_factory=Costs)


def _accelerator(path: str, wire: _Wire) -> Accelerator:
    if wire.version != VERSION:
        raise ConfigError(f"version is {wire.version}; this qonnx-tools reads {VERSION}")
    for name, widths in wire.widths.items():
        if name not in KINDS:
            raise ConfigError(f"widths.{name} is unknown; choose from {', '.join(KINDS)}")
        _check_ascending(f"widths.{name}", widths)
    for name in (each.name for each in fields(Costs)):
        table = getattr(wire.cost, name)
        if isinstance(table, Table):
            _check_table(f"cost.{name}", table)
    allowed = {KINDS[name]: tuple(widths) for name, widths in wire.widths.items()}
    return Accelerator(path, wire.unit, wire.accumulator_bits, allowed, wire.cost)


def _check_ascending(name: str, widths: list[int]) -> None:
    if not widths or widths != sorted(set(widths)) or widths[0] < 1 or widths[-1] > 32:
        raise ConfigError(f"{name} is {widths}; give widths of 1 to 32 bits in ascending order")


def _check_table(name: str, table: Table) -> None:
    _check_ascending(f"{name}.weight_bits", table.weight_bits)
    _check_ascending(f"{name}.input_bits", table.input_bits)
    shape = (len(table.weight_bits), len(table.input_bits))
    if len(table.values) != shape[0] or any(len(row) != shape[1] for row in table.values):
        raise ConfigError(f"{name}.values must have {shape[0]} rows of {shape[1]} numbers")
    if any(not 0 <= value < float("inf") for row in table.values for value in row):
        raise ConfigError(f"{name}.values holds a number that is no cost; give finite numbers from 0 on")
