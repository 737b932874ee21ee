"""The Verilog and the Makefile of a package: elements, benches, and a module for each layer that can be simulated."""

from collections.abc import Sequence
from importlib.resources import files

from qonnx_tools.export.benches import Bench

_SIGNED = {"LOWEST", "HIGHEST", "SUM_LOWEST", "SUM_HIGHEST"}
"""Parameters of 34 bits with a sign."""


def simulation_files(benches: Sequence[Bench]) -> dict[str, bytes]:
    """Return the files, by their names in the package."""
    room = files("qonnx_tools.hardware")
    written = {f"rtl/{each.name}": each.read_bytes() for each in room.iterdir() if each.name.endswith(".v")}
    written |= {f"sim/{each.name}": each.read_bytes() for each in (room / "bench").iterdir()}
    written |= {f"sim/{bench.name}.v": _module(bench).encode() for bench in benches}
    written["sim/all_layers.v"] = _together(benches).encode()
    names = " ".join(bench.name for bench in benches)
    written["Makefile"] = (room / "Makefile.in").read_bytes().replace(b"@LAYERS@", names.encode())
    return dict(sorted(written.items()))


def _module(bench: Bench) -> str:
    parameters = ",\n".join(f"        .{name}({_literal(name, value)})" for name, value in bench.parameters.items())
    return (
        f"// {' '.join(bench.layer.split())}\n"
        f"module {bench.name} (\n    input clk,\n    output done,\n    output [31:0] errors\n);\n"
        f"    {bench.bench} #(\n{parameters}\n    ) bench (.clk(clk), .done(done), .errors(errors));\nendmodule\n"
    )


def _together(benches: Sequence[Bench]) -> str:
    count = max(1, len(benches))
    instances = "".join(
        f"    {bench.name} bench_{at} (.clk(clk), .done(all_done[{at}]), .errors(of_{at}));\n"
        for at, bench in enumerate(benches)
    )
    wires = "".join(f"    wire [31:0] of_{at};\n" for at in range(len(benches)))
    total = " + ".join(f"of_{at}" for at in range(len(benches))) or "0"
    none = "" if benches else "    assign all_done = 1;\n"
    return (
        "// Every layer that can be simulated, side by side.\n"
        "module all_layers (\n    input clk,\n    output done,\n    output [31:0] errors\n);\n"
        f"    wire [{count - 1}:0] all_done;\n{wires}{instances}{none}"
        f"    assign done = &all_done;\n    assign errors = {total};\nendmodule\n"
    )


def _literal(name: str, value: int | str) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    if name in _SIGNED:
        return f"-34'sd{-value}" if value < 0 else f"34'sd{value}"
    return str(value)
