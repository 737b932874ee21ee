"""``qonnx export``: a native graph as files for the hardware."""

from pathlib import Path
from typing import Annotated, Any

import typer

from qonnx_tools.cli import options
from qonnx_tools.cli.reporting import console, print_json


@options.with_preprocessing
def export(
    model: options.Model,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The folder to make.", show_default=False)],
    vectors: Annotated[
        int, typer.Option(min=0, help="Images of which the values of every layer are written; 0: none.")
    ] = 1,
    data: Annotated[
        str | None,
        typer.Option(help="Where these come from: .npz, a folder, or module:function. Without: random codes."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a package that is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the manifest.")] = False,
    preprocessing: Any = None,
) -> None:
    """Write the accelerator package of the native graph MODEL: manifest, memory images, golden vectors."""
    from qonnx_tools.export import export as run  # noqa: PLC0415  # slow to import

    result = run(model, folder, vectors=vectors, data=data, preprocessing=preprocessing, force=force)
    if as_json:
        print_json(result.manifest)
        return
    layers = result.manifest["layers"]
    in_float = [layer["name"] for layer in layers if layer["computes"] == "floats"]
    screen = console()
    screen.print(f"wrote {result.folder}: {result.files} files, {result.bytes:,} bytes", markup=False, soft_wrap=True)
    memory = result.manifest["memory"]
    screen.print(
        f"{len(layers)} layers, {result.manifest['vectors']} vectors; {memory['constants']['bytes']:,} bytes of "
        f"constants, {memory['maps']['bytes']:,} bytes of feature maps at once",
        soft_wrap=True,
    )
    if in_float:
        screen.print(f"on the host, in float: {', '.join(in_float)}", markup=False, soft_wrap=True)
    screen.print(f"next: {result.folder / 'README.md'}", markup=False, soft_wrap=True)
