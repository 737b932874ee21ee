"""The application: its commands."""

import sys
from typing import Annotated

import typer

import qonnx_tools
from qonnx_tools.cli.check import check
from qonnx_tools.cli.compress import compress, decompress
from qonnx_tools.cli.convert import convert
from qonnx_tools.cli.ending import Ending, interruptible
from qonnx_tools.cli.evaluate import evaluate
from qonnx_tools.cli.export import export
from qonnx_tools.cli.finetune import finetune
from qonnx_tools.cli.hardware_cost import hardware_cost
from qonnx_tools.cli.inspect import inspect
from qonnx_tools.cli.search import search
from qonnx_tools.cli.verify import verify

app = typer.Typer(
    name="qonnx",
    help="Turn a trained ONNX CNN into the graph that an FPGA or ASIC accelerator computes, and measure it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (
    convert,
    evaluate,
    verify,
    check,
    inspect,
    search,
    finetune,
    export,
    hardware_cost,
    compress,
    decompress,
):
    app.command()(interruptible(command))


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"qonnx-tools {qonnx_tools.__version__}\n")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[  # noqa: ARG001  # acted on by its callback
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    Ending.debug = debug
