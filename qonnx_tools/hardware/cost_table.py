"""A table of costs for the search, of elements that Yosys synthesises: measured once each, in a journal."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from qonnx_tools.errors import ConfigError
from qonnx_tools.hardware.macs import INPUT_BITS, KINDS, WEIGHT_BITS, Mac
from qonnx_tools.hardware.yosys import LUT_INPUTS, Yosys, sources_digest

Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Request:
    """What a table holds.

    Attributes:
        lut_inputs: of a lookup table: 4 or 6.
        weight_bits: smallest and largest width of weights.
        input_bits: of inputs.
        fan_in: products that an accumulator holds.
        kinds: of elements.
    """

    lut_inputs: int
    weight_bits: tuple[int, int]
    input_bits: tuple[int, int]
    fan_in: int
    kinds: tuple[str, ...] = KINDS

    def __post_init__(self) -> None:
        if self.lut_inputs not in LUT_INPUTS:
            raise ConfigError(f"--lut is {self.lut_inputs}; choose 4 or 6")
        if not 1 <= self.fan_in <= 2**20:
            raise ConfigError(f"--fan-in is {self.fan_in}; it must lie in 1..{2**20}")
        for kind in self.kinds:
            if kind not in KINDS:
                raise ConfigError(f"--kind is '{kind}'; choose from {', '.join(KINDS)}")
            if not self.rows(kind) or not self.columns(kind):
                few, most = WEIGHT_BITS[kind], INPUT_BITS[kind]
                raise ConfigError(
                    f"no width in --weights and --inputs is one of a {kind}: weights have {few[0]} to {few[1]} bits, "
                    f"inputs {most[0]} to {most[1]}"
                )

    def rows(self, kind: str) -> list[int]:
        """Return the widths of weights that the element of a kind has."""
        return _between(self.weight_bits, WEIGHT_BITS[kind])

    def columns(self, kind: str) -> list[int]:
        """Return the widths of inputs that it has."""
        return _between(self.input_bits, INPUT_BITS[kind])

    def elements(self) -> list[Mac]:
        """Return the elements of the table."""
        return [
            Mac(kind, weight, given, self.fan_in)
            for kind in self.kinds
            for weight in self.rows(kind)
            for given in self.columns(kind)
        ]


@dataclass(frozen=True)
class Measured:
    """The lookup tables of every element, how many of them were measured now, and by what."""

    request: Request
    luts: Mapping[Mac, int]
    new: int
    yosys: str


def measure(request: Request, journal: Path, yosys: Yosys, progress: Progress | None = None) -> Measured:
    """Return the lookup tables of what is asked for; what the ``journal`` has is not measured again.

    What other sources or another Yosys made is measured anew. Each line of the journal is whole or not there.

    Raises:
        ConfigError: Yosys fails, or the journal cannot be read or written.
    """
    stamp: dict[str, str | int] = {
        "yosys": yosys.version,
        "sources": sources_digest(),
        "lut_inputs": request.lut_inputs,
    }
    known = dict(_read(journal, stamp))
    elements, new = request.elements(), 0
    found: dict[Mac, int] = {}
    for mac in elements:
        key = _key(mac)
        if key not in known:
            known[key] = yosys.luts(mac, request.lut_inputs)
            _append(journal, stamp | {"element": key, "luts": known[key]})
            new += 1
        found[mac] = known[key]
        if progress:
            progress(len(found), len(elements))
    return Measured(request, found, new, yosys.version)


def to_toml(measured: Measured, command: str) -> str:
    """Return the file of an accelerator that ``qonnx search --cost`` reads. ``command`` is what made it."""
    request = measured.request
    lines = [
        f"# Lookup tables of {request.lut_inputs} inputs that an element takes, its accumulator included, by Yosys:",
        f"# {command}",
        f"# {measured.yosys}, synth -flatten; abc -lut {request.lut_inputs}.",
        f"# Inputs have no sign; accumulators hold {request.fan_in} products. Costs are LUTs times products.",
        f"# Elements: SHA-256 {sources_digest()}",
        "version = 1",
        f'unit = "LUT{request.lut_inputs}"',
    ]
    by_log = sorted({width for kind in request.kinds if kind.startswith("shifter") for width in request.rows(kind)})
    if by_log:
        lines += ["", "[widths]", f"log_weights = {by_log}"]
    for kind in request.kinds:
        rows, columns = request.rows(kind), request.columns(kind)
        lines += ["", f"[cost.{kind}]", f"weight_bits = {rows}", f"input_bits = {columns}", "values = ["]
        lines += [
            f"  {[measured.luts[Mac(kind, weight, given, request.fan_in)] for given in columns]},  # {weight}"
            for weight in rows
        ]
        lines.append("]")
    return "\n".join(lines) + "\n"


def _between(asked: tuple[int, int], has: tuple[int, int]) -> list[int]:
    return list(range(max(asked[0], has[0]), min(asked[1], has[1]) + 1))


def _key(mac: Mac) -> str:
    return " ".join([mac.module, *(f"{name}={value}" for name, value in mac.parameters.items())])


def _read(journal: Path, stamp: Mapping[str, str | int]) -> Iterable[tuple[str, int]]:
    if not journal.exists():
        return
    try:
        lines = journal.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"journal '{journal}' cannot be read; remove it") from error
    for line in lines:
        try:
            entry = json.loads(line)
        except ValueError:
            continue  # a line that was cut off
        if isinstance(entry, dict) and all(entry.get(name) == value for name, value in stamp.items()):
            yield str(entry["element"]), int(entry["luts"])


def _append(journal: Path, entry: Mapping[str, str | int]) -> None:
    try:
        cut = journal.exists() and not journal.read_bytes().endswith(b"\n")
        with journal.open("a", encoding="utf-8") as file:
            file.write(("\n" if cut else "") + json.dumps(entry) + "\n")
    except OSError as error:
        raise ConfigError(f"journal '{journal}' cannot be written: {error.strerror}; name OUT elsewhere") from error
