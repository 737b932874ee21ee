"""Processing elements, simulated by Icarus Verilog: codes in, codes out."""

import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from qonnx_tools.hardware.images import hexadecimal

HARDWARE = Path(__file__).resolve().parents[2] / "qonnx_tools/hardware"
ELEMENTS = sorted(HARDWARE.glob("*.v"))
BENCHES = sorted((HARDWARE / "bench").glob("qonnx_*.v"))


def need(*programs: str) -> None:
    """Skip a test where a program is missing."""
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed: on Debian, apt-get install iverilog verilator make")


def simulated(
    folder: Path,
    module: str,
    parameters: Mapping[str, int],
    inputs: Mapping[str, tuple[np.ndarray, int]],
    outputs: Mapping[str, int],
    *,
    clocked: bool = False,
) -> dict[str, np.ndarray]:
    """Return the outputs of an element for each row of inputs, as signed numbers of their widths.

    Args:
        folder: for the files.
        module: the element.
        parameters: of it.
        inputs: by port, its numbers, one a row, and its width.
        outputs: width by port.
        clocked: whether it has a clock: outputs are then those after the clock edge that took the row.
    """
    need("iverilog", "vvp")
    rows = len(next(iter(inputs.values()))[0])
    for port, (numbers, bits) in inputs.items():
        (folder / f"{port}.hex").write_text(hexadecimal(numbers, bits))
    declared = "".join(
        f'  reg [{bits - 1}:0] {port}[0:{rows - 1}]; initial $readmemh("{port}.hex", {port});\n'
        for port, (_, bits) in inputs.items()
    )
    wires = "".join(f"  wire [{bits - 1}:0] {port};\n" for port, bits in outputs.items())
    ports = [f".{port}({port}[row])" for port in inputs] + [f".{port}({port})" for port in outputs]
    set_to = ", ".join(f".{name}({_literal(value)})" for name, value in parameters.items())
    shown = " ".join("%b" for _ in outputs)
    text = (
        f"module tb;\n  integer row; reg clk = 0;\n{declared}{wires}"
        f"  {module} #({set_to}) element ({', '.join([*ports, *(['.clk(clk)'] if clocked else [])])});\n"
        "  initial begin\n    #1;\n"
        f"    for (row = 0; row < {rows}; row = row + 1) begin\n"
        f'      #1 clk = {int(clocked)}; #1 $display("{shown}", {", ".join(outputs)}); clk = 0;\n'
        "    end\n  end\nendmodule\n"
    )
    (folder / "tb.v").write_text(text)
    command = ["iverilog", "-g2005", "-y", str(HARDWARE), "-s", "tb", "-o", "tb.vvp", "tb.v"]
    assert run(command, folder) == ("", "")
    lines = run(["vvp", "-n", "tb.vvp"], folder)[0].split("\n")
    words = [line.split() for line in lines if line and not line.startswith("WARNING")]
    assert len(words) == rows
    return {port: np.array([_signed(row[at]) for row in words], object) for at, port in enumerate(outputs)}


def run(command: list[str], folder: Path) -> tuple[str, str]:
    """Run a program in a folder and return what it printed and what it complained of; failing fails the test."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}: {done.stdout}{done.stderr}"
    return done.stdout, done.stderr


def _signed(word: str) -> int:
    assert set(word) <= {"0", "1"}, f"an output is not driven: {word}"
    return int(word, 2) - (int(word[0]) << len(word))


def _literal(value: int) -> str:
    return f"-34'sd{-value}" if value < 0 else (str(value) if value < 2**31 else f"34'sd{value}")
