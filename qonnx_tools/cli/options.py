"""Options that several commands share."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from qonnx_tools.errors import ConfigError

if TYPE_CHECKING:
    from qonnx_tools.data import Preprocessing

_PANEL = "Preprocessing of images"

Model = Annotated[Path, typer.Argument(metavar="MODEL", help="An ONNX file.", show_default=False)]
Preset = Annotated[
    str | None,
    typer.Option(help="cifar10, imagenet, mobilenet, caffe, fashion-mnist, unit or raw.", rich_help_panel=_PANEL),
]
Preprocess = Annotated[Path | None, typer.Option(help="A TOML file with these options.", rich_help_panel=_PANEL)]
Scale = Annotated[float | None, typer.Option(help="Pixels are multiplied by this first.", rich_help_panel=_PANEL)]
Mean = Annotated[
    str | None,
    typer.Option(help="Subtracted after --scale: one number, or one a channel: .5,.4,.4", rich_help_panel=_PANEL),
]
Std = Annotated[str | None, typer.Option(help="Divided by after --mean, likewise.", rich_help_panel=_PANEL)]
Layout = Annotated[str | None, typer.Option(help="NCHW or NHWC.", rich_help_panel=_PANEL)]
ChannelOrder = Annotated[str | None, typer.Option(help="RGB or BGR.", rich_help_panel=_PANEL)]
Resize = Annotated[
    int | None, typer.Option(min=1, help="Length of the shorter side, in pixels.", rich_help_panel=_PANEL)
]
Crop = Annotated[
    int | None, typer.Option(min=1, help="Side of the square cut from the middle.", rich_help_panel=_PANEL)
]


def preprocessing_from(preset: str | None, file: Path | None, **options: Any) -> "Preprocessing | None":
    """Return the preprocessing that the options describe, or None where none is given.

    Single options refine the preset or the file. Raises ``ConfigError`` for a bad value.
    """
    from qonnx_tools.data import preprocessing, preprocessing_from_toml  # noqa: PLC0415  # slow to import

    given = {name: value for name, value in options.items() if value is not None}
    for name in ("mean", "std"):
        if name in given:
            given[name] = _numbers(name, given[name])
    if preset is not None and file is not None:
        raise ConfigError("give --preset or --preprocess, not both; a TOML file can name a preset itself")
    if file is not None:
        return preprocessing_from_toml(file).with_options(given, "options")
    if preset is not None or given:
        return preprocessing(preset or "raw", **given)
    return None


def _numbers(name: str, text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise ConfigError(
            f"--{name} is '{text}'; it must be numbers with commas between them, such as .5,.4,.4"
        ) from None
