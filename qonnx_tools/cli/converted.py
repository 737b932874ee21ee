"""What ``qonnx convert`` says of a conversion."""

import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qonnx_tools.cli.feature_maps import plan_json
from qonnx_tools.cli.reporting import console

if TYPE_CHECKING:
    from rich.console import Console

    from qonnx_tools.conversion import Conversion

SHOWN = 5
"""How many of the nodes that stay in float are shown without ``--explain``."""


def warn(conversion: "Conversion") -> None:
    """Warn of accumulators that can overflow, in one line on standard error."""
    from qonnx_tools.targets import worst  # noqa: PLC0415  # slow to import

    if conversion.narrow:
        item = worst(conversion.narrow)
        sys.stderr.write(
            f"warning: sums can wrap in {_count(len(conversion.narrow), 'layer')}, most of all in '{item.layer}': "
            f"its accumulator has {item.bits} bits, {item.safe_bits} are safe\n"
        )


def to_json(conversion: "Conversion", out: Path) -> dict[str, Any]:
    """Return what was done as JSON data."""
    on_codes, count = _layers(conversion)
    loss = None if conversion.tuned is None else conversion.tuned.loss
    return {
        "out": str(out),
        "scheme": conversion.plan.scheme,
        "batch_norm": conversion.plan.batch_norm,
        "target": conversion.target,
        "for": conversion.tool,
        "inexact": [dataclasses.asdict(item) for item in conversion.inexact],
        "deviation": None if conversion.deviation is None else dataclasses.asdict(conversion.deviation),
        "calibration": None if conversion.calibration is None else conversion.calibration.source,
        "layers": count,
        "layers_on_codes": on_codes,
        "in_float": [dataclasses.asdict(item) for item in conversion.in_float],
        "without_format": [{"tensor": item.node, "reason": item.reason} for item in conversion.left],
        "narrow_accumulators": [dataclasses.asdict(item) for item in conversion.narrow],
        "feature_maps": {name: plan_json(item) for name, item in conversion.plan.feature_maps.items()},
        "feature_map_loss": None if loss is None else dataclasses.asdict(loss),
    }


def show(conversion: "Conversion", model: Path, out: Path, *, explain: bool) -> None:
    """Print what was done, what stays in float, and what to do next."""
    screen = console()
    _show_passes(screen, conversion, explain=explain)
    if conversion.calibration is not None:
        _line(screen, f"calibration: {conversion.calibration.source}")
    _show_layers(screen, conversion, explain=explain)
    loss = None if conversion.tuned is None else conversion.tuned.loss
    if loss is not None:
        _line(
            screen,
            f"feature maps: {100 * loss.share:+.2f} points lost on {loss.images:,} images, {loss.measured} trials",
        )
    _show_inexact(screen, conversion)
    scheme = conversion.plan.scheme or "of the plan"
    tool = f" for {conversion.tool}" if conversion.tool else ""
    _line(screen, f"wrote {out}, scheme {scheme}, target {conversion.target}{tool}", style="bold")
    _line(screen, f"next: qonnx evaluate {out} --against {model} --data LABELLED_TEST_IMAGES")


def _show_inexact(screen: "Console", conversion: "Conversion") -> None:
    for item in conversion.inexact:
        _item(screen, "inexact", item.node, item.reason)
    found = conversion.deviation
    if found is not None:
        _line(
            screen,
            f"outputs differ on {found.differ} of {found.images} images of {found.source}: by at most "
            f"{found.largest:.4g}, {found.mean:.4g} on average; they spread by {found.spread:.4g}",
        )


def _show_passes(screen: "Console", conversion: "Conversion", *, explain: bool) -> None:
    from qonnx_tools.outcome import Rewrite  # noqa: PLC0415  # slow to import

    for report in conversion.reports:
        done = len(report.rewrites)
        declined = len(report.outcomes) - done
        if done or declined:
            _line(screen, f"{report.name}: {done} rewritten" + (f", {declined} left as they are" if declined else ""))
        for outcome in report.outcomes if explain else ():
            if isinstance(outcome, Rewrite):
                _item(screen, "did", outcome.node, outcome.what)
            else:
                _item(screen, "left", outcome.node, outcome.reason)


def _show_layers(screen: "Console", conversion: "Conversion", *, explain: bool) -> None:
    """Say how many layers compute on codes, and which nodes do not."""
    on_codes, count = _layers(conversion)
    in_float = conversion.in_float
    if conversion.target == "native":
        _line(
            screen, f"{on_codes} of {_count(count, 'layer')} on integer codes, {_count(len(in_float), 'node')} in float"
        )
    if explain:
        for item in conversion.left:
            _item(screen, "no format", item.node, item.reason)
        return
    for item in in_float[:SHOWN]:
        _item(screen, "float", item.node, item.reason)
    if len(in_float) > SHOWN:
        _line(screen, f"  and {len(in_float) - SHOWN} more, which --explain lists")


def _layers(conversion: "Conversion") -> tuple[int, int]:
    """Return how many layers compute on codes, and how many there are."""
    from qonnx_tools.inspection import inspect  # noqa: PLC0415  # slow to import

    layers = inspect(conversion.model).layers
    return sum(layer.accumulator_bits is not None for layer in layers), len(layers)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _item(screen: "Console", kind: str, name: str, text: str) -> None:
    colour = {"did": "green"}.get(kind, "yellow")
    from rich.markup import escape  # noqa: PLC0415  # slow to import

    screen.print(f"  [{colour}]{kind}[/] {escape(name)}: {escape(text)}", soft_wrap=True)


def _line(screen: "Console", text: str, style: str | None = None) -> None:
    screen.print(text, markup=False, soft_wrap=True, style=style)
