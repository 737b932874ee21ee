"""``qonnx check``: what a tool will reject, misread or change, before the hours of synthesis."""

import dataclasses
import sys
from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from qonnx_tools.cli import options
from qonnx_tools.cli.ending import line_of
from qonnx_tools.cli.reporting import console, print_json
from qonnx_tools.errors import QonnxToolsError

if TYPE_CHECKING:
    from qonnx_tools.checks.rule import Finding

UNREADABLE = 3
"""Exit status where there is nothing to check: 1 and 2 say what was found."""


def check(
    model: options.Model,
    target: Annotated[
        str, typer.Option(help="ort, hls4ml, finn, qdq or native: what the graph is for.", show_default=False)
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say, node by node, what TARGET will reject, misread or silently change in MODEL, and the remedy.

    Graphs of other exporters are checked, too. Exit status: 0 clean (there may be notes), 1 warnings, 2 errors, 3 where
    MODEL cannot be read or TARGET is unknown.
    """
    from qonnx_tools.checks.rule import Severity  # noqa: PLC0415  # slow to import
    from qonnx_tools.checks.rule import check as run  # noqa: PLC0415
    from qonnx_tools.graph import load  # noqa: PLC0415

    try:
        found = run(load(model), target)
    except QonnxToolsError as error:
        sys.stderr.write(f"{line_of(error)}\n")
        raise typer.Exit(UNREADABLE) from error
    worst = max((list(Severity).index(item.severity) for item in found), default=0)
    if as_json:
        counts = Counter(item.severity for item in found)
        findings = [dataclasses.asdict(item) for item in found]
        print_json(
            {"target": target, "exit_status": worst, **{f"{s}s": counts[s] for s in Severity}, "findings": findings}
        )
    else:
        _print(found, target)
    if worst:
        raise typer.Exit(worst)


def _print(found: "tuple[Finding, ...]", target: str) -> None:
    from rich.markup import escape  # noqa: PLC0415  # slow to import

    screen = console()
    colours = {"error": "red", "warning": "yellow", "note": "blue"}
    for item in found:
        text = f"{escape(item.place)}: {escape(item.what)}; {escape(item.remedy)} \\[{item.rule}]"
        screen.print(f"[{colours[item.severity]}]{item.severity}[/] {text}", soft_wrap=True)
    counts = Counter(str(item.severity) for item in found)
    shown = ", ".join(f"{counts[kind]} {kind}{'s'[: counts[kind] != 1]}" for kind in colours)
    screen.print(f"{target}: {shown if found else 'clean'}", style="bold")
