"""``qonnx hardware-cost``: what the processing elements cost on an FPGA, for ``qonnx search --cost``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qonnx_tools.cli.outputs import check_outputs, write_all
from qonnx_tools.cli.reporting import console, print_json, progress
from qonnx_tools.errors import ConfigError

if TYPE_CHECKING:
    from qonnx_tools.hardware.cost_table import Measured

JOURNAL = ".measured.jsonl"
SHOWN_INPUT_BITS = 8


def hardware_cost(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The table to write, TOML.", show_default=False)],
    lut: Annotated[int, typer.Option(help="Inputs of a lookup table: 4 or 6.")] = 6,
    weights: Annotated[str, typer.Option(help="Widths of weights, from-to.")] = "1-10",
    inputs: Annotated[str, typer.Option(help="Widths of inputs, from-to.")] = "1-10",
    fan_in: Annotated[int, typer.Option(help="Products that an accumulator holds.")] = 256,
    kind: Annotated[
        list[str] | None,
        typer.Option(help="multiplier, shifter, shifter_sqrt2, log_adder, log_adder_sqrt2 [all]; may be repeated."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Synthesise the processing elements with Yosys and write the table of their LUTs to OUT.

    What was measured stays in a journal beside OUT: after Ctrl-C, or with more widths, the same command goes on there.
    """
    from qonnx_tools.hardware.cost_table import Request, measure, to_toml  # noqa: PLC0415  # slow to import
    from qonnx_tools.hardware.macs import KINDS  # noqa: PLC0415
    from qonnx_tools.hardware.yosys import Yosys  # noqa: PLC0415

    request = Request(lut, _range("--weights", weights), _range("--inputs", inputs), fan_in, tuple(kind or KINDS))
    journal = out.with_name(f"{out.stem}{JOURNAL}")
    check_outputs({"OUT": out, "the journal": journal}, {})
    yosys = Yosys.find()
    with progress("synthesising") as (report,):
        measured = measure(request, journal, yosys, report)
    options = [
        f"--lut {lut} --weights {weights} --inputs {inputs} --fan-in {fan_in}",
        *(f"--kind {k}" for k in kind or ()),
    ]
    text = to_toml(measured, f"qonnx hardware-cost {out.name} {' '.join(options)}")
    write_all({out: lambda path: _write(path, text)})
    if as_json:
        print_json(_json(measured, out))
    else:
        _print(measured, out)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _range(option: str, text: str) -> tuple[int, int]:
    low, _, high = text.partition("-")
    if not (low.isdecimal() and (high or low).isdecimal()) or not 1 <= int(low) <= int(high or low) <= 32:
        raise ConfigError(f"{option} is '{text}'; give two widths, the smaller first: 3-8")
    return int(low), int(high or low)


def _json(measured: "Measured", out: Path) -> dict[str, object]:
    return {
        "out": str(out),
        "yosys": measured.yosys,
        "lut_inputs": measured.request.lut_inputs,
        "fan_in": measured.request.fan_in,
        "measured": measured.new,
        "elements": [
            {
                "kind": mac.kind,
                "weight_bits": mac.weight_bits,
                "input_bits": mac.input_bits,
                "accumulator_bits": mac.parameters["ACC_BITS"],
                "luts": count,
            }
            for mac, count in measured.luts.items()
        ],
    }


def _print(measured: "Measured", out: Path) -> None:
    from rich.table import Table  # noqa: PLC0415  # slow to import

    screen, request = console(), measured.request
    table = Table(title=f"LUT{request.lut_inputs} of an element, by bits of weights", title_justify="left")
    table.add_column("kind", no_wrap=True)
    table.add_column("inputs", justify="right")
    widths = sorted({mac.weight_bits for mac in measured.luts})
    for width in widths:
        table.add_column(str(width), justify="right")
    for kind in request.kinds:
        given = min(request.columns(kind), key=lambda bits: abs(bits - SHOWN_INPUT_BITS))
        found = {
            mac.weight_bits: count
            for mac, count in measured.luts.items()
            if (mac.kind, mac.input_bits) == (kind, given)
        }
        table.add_row(kind, str(given), *(str(found.get(width, "-")) for width in widths))
    screen.print(table)
    screen.print(
        f"{len(measured.luts)} elements, {measured.new} measured now by {measured.yosys}", markup=False, soft_wrap=True
    )
    screen.print(f"wrote {out}; next: qonnx search MODEL PLAN.json --data F --cost {out}", markup=False, soft_wrap=True)
