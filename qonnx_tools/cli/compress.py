"""``qonnx compress`` and ``qonnx decompress``: one feature map in a file."""

import io
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from qonnx_tools.cli.outputs import check_outputs, write_all
from qonnx_tools.cli.reporting import console, print_json
from qonnx_tools.errors import ConfigError, DataError
from qonnx_tools.replacing import replacing

if TYPE_CHECKING:
    from qonnx_tools.arithmetic.bitstream import Coding
    from qonnx_tools.feature_map_codec import Codes

USUAL_LEVELS = 2
"""Levels of a wavelet unless told."""

Out = Annotated[Path, typer.Argument(metavar="OUT", help="The file to write.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def compress(
    tensor: Annotated[
        Path, typer.Argument(metavar="TENSOR.npy", help="Integer codes, [C, H, W] or [1, C, H, W].", show_default=False)
    ],
    out: Out,
    wavelet: Annotated[str, typer.Option(help="predictive, haar, wavelet53 or none.")] = "predictive",
    levels: Annotated[
        int | None, typer.Option(min=1, max=3, help=f"Levels of the wavelet [{USUAL_LEVELS}].", show_default=False)
    ] = None,
    step: Annotated[
        float, typer.Option(help="Quantization step in LSB, a multiple of 1/16; 1 is lossless.", show_default=True)
    ] = 1.0,
    coder: Annotated[str, typer.Option(help="context, rice or sparse-golomb.")] = "context",
    bits: Annotated[
        int | None, typer.Option(min=1, max=32, help="Bits of the codes [those of the element type].")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compress the feature map TENSOR.npy."""
    from qonnx_tools.arithmetic.fixed_point import FixedPoint  # noqa: PLC0415  # loads numpy
    from qonnx_tools.feature_map_codec import compress as run  # noqa: PLC0415

    check_outputs({"OUT": out}, {"TENSOR.npy": tensor})
    codes = _read(tensor)
    own_width = bits or 8 * codes.dtype.itemsize
    form = FixedPoint(own_width, 0, bool(codes.dtype.kind == "i")) if bits else None
    stream = run(codes, _coding(wavelet, coder, levels, step), form)
    write_all({out: partial(_write, content=stream)})
    count = codes.size
    document = {
        "bytes": len(stream),
        "values": count,
        "ratio_vs_32bit": 4 * count / len(stream),
        "ratio_vs_own_width": own_width * count / (8 * len(stream)),
        "bits_per_value": 8 * len(stream) / count,
    }
    if as_json:
        print_json(document)
        return
    console().print(
        f"wrote {out}: {count:,} values in {len(stream):,} bytes, {document['bits_per_value']:.3f} bits a value; "
        f"{document['ratio_vs_32bit']:.2f}x against 32 bits, "
        f"{document['ratio_vs_own_width']:.2f}x against {own_width}",
        markup=False,
        soft_wrap=True,
    )


def decompress(
    stream: Annotated[Path, typer.Argument(metavar="IN", help="A compressed feature map.", show_default=False)],
    out: Annotated[Path, typer.Argument(metavar="OUT.npy", help="The file to write.", show_default=False)],
    as_json: AsJson = False,
) -> None:
    """Write the codes of a compressed feature map as OUT.npy."""
    from qonnx_tools.feature_map_codec import decompress as run  # noqa: PLC0415  # slow to import

    check_outputs({"OUT.npy": out}, {"IN": stream})
    try:
        codes = run(stream.read_bytes())
    except OSError as error:
        raise DataError(f"'{stream}' cannot be read: {error.strerror}; name a compressed feature map") from error
    except DataError as error:
        raise DataError(f"'{stream}': {error}") from error
    write_all({out: partial(_save, codes=codes)})
    if as_json:
        print_json({"shape": list(codes.shape), "type": str(codes.dtype)})
        return
    console().print(f"wrote {out}: {codes.dtype} {list(codes.shape)}", markup=False, soft_wrap=True)


def _coding(wavelet: str, coder: str, levels: int | None, step: float) -> "Coding":
    from qonnx_tools.arithmetic.bitstream import Coder, Coding, Transform  # noqa: PLC0415  # loads numpy

    for option, value, known in (("--wavelet", wavelet, Transform), ("--coder", coder, Coder)):
        if value not in list(known):
            raise ConfigError(f"{option} '{value}' is unknown; choose one of {', '.join(known)}")
    has_levels = wavelet in (Transform.HAAR, Transform.WAVELET53)
    if levels is not None and not has_levels:
        raise ConfigError(f"--levels is for wavelets; --wavelet {wavelet} has none, leave it out")
    return Coding(wavelet, coder, (levels or USUAL_LEVELS) if has_levels else 0, step)


def _read(tensor: Path) -> "Codes":
    """Return the codes in a file; ``DataError`` if it is no feature map."""
    import numpy as np  # noqa: PLC0415  # slow to import

    try:
        found = np.load(tensor, allow_pickle=False)
    except OSError as error:
        raise DataError(f"'{tensor}' cannot be read: {error.strerror or error}; name an .npy file") from error
    except (ValueError, EOFError) as error:
        raise DataError(f"'{tensor}' is no .npy file of numbers: {error}; write one with numpy.save") from error
    if not isinstance(found, np.ndarray):
        found.close()
        raise DataError(f"'{tensor}' holds several tensors; give one, written with numpy.save")
    if found.ndim == 4 and found.shape[0] == 1:
        found = found[0]
    if found.dtype.kind not in "iu" or found.ndim != 3:
        what = f"{found.dtype} {list(found.shape)}"
        raise DataError(f"'{tensor}' holds {what}; a feature map is integer codes [C, H, W] of one image")
    codes: Codes = found.astype(found.dtype.newbyteorder("="))
    return codes


def _write(path: Path, content: bytes) -> None:
    """Write a file beside its place, then rename it."""
    try:
        with replacing(path) as [beside]:
            beside.write_bytes(content)
    except OSError as error:
        raise ConfigError(f"'{path}' cannot be written: {error.strerror}; name a file elsewhere") from error


def _save(path: Path, codes: "Codes") -> None:
    import numpy as np  # noqa: PLC0415  # slow to import

    buffer = io.BytesIO()
    np.save(buffer, codes)
    _write(path, buffer.getvalue())
