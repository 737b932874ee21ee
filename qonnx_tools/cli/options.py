"""Options that several commands share."""

import functools
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from qonnx_tools.errors import ConfigError

if TYPE_CHECKING:
    from qonnx_tools.data import Preprocessing

Command = TypeVar("Command", bound=Callable[..., None])
_PANEL = "Preprocessing of images"

Model = Annotated[Path, typer.Argument(metavar="MODEL", help="An ONNX file.", show_default=False)]
LogBase = Annotated[str | None, typer.Option(help="Scheme log: 2 (default) or sqrt2.")]
BatchNorm = Annotated[
    str | None,
    typer.Option(help="fold (default): into the weights; merge: behind the accumulator; separate: a unit of its own."),
]
_PREPROCESSING: Mapping[str, Any] = {
    "preset": Annotated[
        str | None,
        typer.Option(help="cifar10, imagenet, mobilenet, caffe, fashion-mnist, unit or raw.", rich_help_panel=_PANEL),
    ],
    "preprocess": Annotated[Path | None, typer.Option(help="A TOML file with these options.", rich_help_panel=_PANEL)],
    "scale": Annotated[float | None, typer.Option(help="Pixels are multiplied by this first.", rich_help_panel=_PANEL)],
    "mean": Annotated[
        str | None,
        typer.Option(help="Subtracted after --scale: one number, or one a channel: .5,.4,.4", rich_help_panel=_PANEL),
    ],
    "std": Annotated[str | None, typer.Option(help="Divided by after --mean, likewise.", rich_help_panel=_PANEL)],
    "layout": Annotated[str | None, typer.Option(help="NCHW or NHWC.", rich_help_panel=_PANEL)],
    "channel_order": Annotated[str | None, typer.Option(help="RGB or BGR.", rich_help_panel=_PANEL)],
    "resize": Annotated[
        int | None, typer.Option(min=1, help="Length of the shorter side, in pixels.", rich_help_panel=_PANEL)
    ],
    "crop": Annotated[
        int | None, typer.Option(min=1, help="Side of the square cut from the middle.", rich_help_panel=_PANEL)
    ],
}


def with_options(shared: Mapping[str, Any], name: str, made: Callable[..., Any]) -> Callable[[Command], Command]:
    """Return a decorator for commands: of the ``shared`` options, ``made`` makes the argument ``name``.

    Typer sees the options, by their annotations, in the place of that argument; all are None unless given.
    """

    def decorate(command: Command) -> Command:
        signature = inspect.signature(command)
        parameters = [
            inspect.Parameter(each, inspect.Parameter.POSITIONAL_OR_KEYWORD, default=None, annotation=annotation)
            for each, annotation in shared.items()
        ]
        own = [parameter for parameter in signature.parameters.values() if parameter.name != name]

        @functools.wraps(command)
        def run(**given: Any) -> Any:
            given[name] = made(**{each: given.pop(each) for each in shared})
            return command(**given)

        run.__signature__ = signature.replace(parameters=[*own, *parameters])  # type: ignore[attr-defined]
        run.__annotations__ = {each.name: each.annotation for each in (*own, *parameters)}
        return run  # type: ignore[return-value]

    return decorate


def _preprocessing(preset: str | None, preprocess: Path | None, **options: Any) -> "Preprocessing | None":
    """Return the preprocessing that the options describe, or None where none is given.

    Single options refine the preset or the file. Raises ``ConfigError`` for a bad value.
    """
    from qonnx_tools.data import preprocessing, preprocessing_from_toml  # noqa: PLC0415  # slow to import

    given = {name: value for name, value in options.items() if value is not None}
    for name in ("mean", "std"):
        if name in given:
            given[name] = _numbers(name, given[name])
    if preset is not None and preprocess is not None:
        raise ConfigError("give --preset or --preprocess, not both; a TOML file can name a preset itself")
    if preprocess is not None:
        return preprocessing_from_toml(preprocess).with_options(given, "options")
    if preset is not None or given:
        return preprocessing(preset or "raw", **given)
    return None


with_preprocessing = with_options(_PREPROCESSING, "preprocessing", _preprocessing)
"""Adds the options of preprocessing to a command, which gets ``preprocessing``."""


def _numbers(name: str, text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise ConfigError(
            f"--{name} is '{text}'; it must be numbers with commas between them, such as .5,.4,.4"
        ) from None
