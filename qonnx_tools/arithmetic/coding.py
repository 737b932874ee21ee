"""Compressed feature maps: codes ``[C, H, W]`` to bytes and back. This is the definition; the kernels give the same.

    none          q = quantized codes                      coded as they are
    predictive    q = quantized codes                      predicted
    wavelet       q = quantized coefficients, by band      LL predicted, the other bands as they are

What comes back is dequantized, transformed back and clamped to the number format of the codes.
"""

import numpy as np
import numpy.typing as npt

from qonnx_tools.arithmetic import prediction, rice, sparse_golomb, wavelet
from qonnx_tools.arithmetic.band_hints import band_hints
from qonnx_tools.arithmetic.bits import BitReader, BitWriter
from qonnx_tools.arithmetic.bitstream import (
    ELEMENTS,
    LARGEST_COUNT,
    Coder,
    Coding,
    Header,
    Transform,
    fits,
    read_stream,
    write_stream,
)
from qonnx_tools.arithmetic.context_coding import ContextDecoder, ContextEncoder
from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.arithmetic.subband_quantization import (
    band_step,
    dequantize_coefficients,
    dequantize_values,
    quantize_coefficients,
    quantize_values,
    sixteenths,
)
from qonnx_tools.arithmetic.wavelet import Integers, Subband
from qonnx_tools.errors import ConfigError, DataError

Planes = dict[Subband, Integers]
WHOLE: Subband = ("", 0)
"""The one plane of a map without a wavelet."""


def encode(codes: npt.NDArray[np.integer], coding: Coding, number_format: FixedPoint | None = None) -> bytes:
    """Return the stream of ``codes`` ``[C, H, W]``; their number format is the whole element type by default."""
    header = header_of(codes, coding, number_format)
    check_codes(codes, header.number_format)
    planes = quantized(codes, coding)
    if coding.coder == Coder.CONTEXT:
        encoder = ContextEncoder()
        for band, plane in planes.items():
            encoder.write_plane(plane, _hints(band, plane.shape, planes, coding))
        return write_stream(header, encoder.to_bytes())
    out, state = BitWriter(), rice.RiceState()
    for band, plane in planes.items():
        numbers = prediction.to_unsigned(prediction.residuals(plane) if predicted(band, coding) else plane)
        if coding.coder == Coder.RICE:
            rice.write_plane(numbers, state, escape_bits(header), out)
        else:
            sparse_golomb.write_plane(numbers, out)
    return write_stream(header, out.to_bytes())


def decode(stream: bytes, limit: int = LARGEST_COUNT) -> npt.NDArray[np.integer]:
    """Return the codes of a stream; ``DataError`` if it is damaged or holds more than ``limit`` samples."""
    header, payload = read_stream(stream, limit)
    coding, planes = header.coding, Planes()
    if coding.coder == Coder.CONTEXT:
        decoder = ContextDecoder(payload)
        for band, shape in header.planes():
            planes[band] = decoder.read_plane(shape, _hints(band, shape, planes, coding))
        decoder.finish()
        return reconstructed(planes, header)
    bits, state = BitReader(payload), rice.RiceState()
    for band, shape in header.planes():
        if coding.coder == Coder.RICE:
            numbers = rice.read_plane(int(np.prod(shape)), state, escape_bits(header), bits)
        else:
            numbers = sparse_golomb.read_plane(int(np.prod(shape)), bits)
        plane = prediction.to_signed(numbers).reshape(shape)
        planes[band] = prediction.from_residuals(plane) if predicted(band, coding) else plane
    if bits.bytes_read != len(payload):
        raise DataError("the stream does not end where its numbers do; it is damaged")
    return reconstructed(planes, header)


def round_trip(
    codes: npt.NDArray[np.integer], coding: Coding, number_format: FixedPoint | None = None
) -> npt.NDArray[np.integer]:
    """Return what decoding the stream of ``codes`` gives, without the stream."""
    return reconstructed(quantized(codes, coding), header_of(codes, coding, number_format))


def header_of(codes: npt.NDArray[np.integer], coding: Coding, number_format: FixedPoint | None = None) -> Header:
    """Return the header of the stream of ``codes``; ``ConfigError`` or ``DataError`` if there can be none."""
    if codes.ndim != 3 or codes.size == 0:
        raise DataError(f"a feature map has the shape [C, H, W], none of them 0; this one has {list(codes.shape)}")
    if codes.dtype not in ELEMENTS:
        known = ", ".join(map(str, ELEMENTS))
        raise DataError(f"the elements of a feature map are codes of one of {known}; these are {codes.dtype}")
    if coding.dropped and len(coding.dropped) != codes.shape[0]:
        raise ConfigError(f"dropped is for {len(coding.dropped)} channels; the feature map has {codes.shape[0]}")
    form = number_format or FixedPoint(8 * codes.dtype.itemsize, 0, bool(np.issubdtype(codes.dtype, np.signedinteger)))
    if form.bits == 0 or not fits(form, codes.dtype):
        raise ConfigError(f"{codes.dtype} does not hold the codes of a format of {form.bits} bits; name another")
    return Header(codes.dtype, form, codes.shape, coding)


def check_codes(codes: npt.NDArray[np.integer], number_format: FixedPoint) -> None:
    """Raise ``DataError`` unless all codes are in the format."""
    low, high = number_format.code_range
    if codes.min() < low or codes.max() > high:
        raise DataError(f"the feature map has codes in {codes.min()}..{codes.max()}; its format has {low}..{high}")


def quantized(codes: npt.NDArray[np.integer], coding: Coding) -> Planes:
    """Return the planes of whole numbers that a stream of ``codes`` holds; dropped channels are not in the finest."""
    step = sixteenths(coding.step)
    if coding.wavelet is None:
        return {WHOLE: quantize_values(codes, step)}
    planes = Planes()
    for band, plane in wavelet.forward(codes, coding.wavelet, coding.levels).items():
        whole = quantize_coefficients(plane, band_step(step, coding.wavelet, band))
        planes[band] = whole[kept(coding, len(whole))] if may_be_dropped(band) else whole
    return planes


def reconstructed(planes: Planes, header: Header) -> npt.NDArray[np.integer]:
    """Return the codes whose planes these are."""
    coding = header.coding
    step = sixteenths(coding.step)
    if coding.wavelet is None:
        values = dequantize_values(planes[WHOLE], step)
    else:
        bands = Planes()
        for band, plane in planes.items():
            bands[band] = np.zeros((header.shape[0], *plane.shape[1:]), np.int64)
            chosen = kept(coding, header.shape[0]) if may_be_dropped(band) else slice(None)
            bands[band][chosen] = dequantize_coefficients(plane, band_step(step, coding.wavelet, band))
        values = wavelet.inverse(bands, coding.wavelet)
    return np.clip(values, *header.number_format.code_range).astype(header.element)


def predicted(band: Subband, coding: Coding) -> bool:
    """Whether the numbers of a plane are predicted from their neighbours."""
    return band[0] == "LL" or coding.transform == Transform.PREDICTIVE


def escape_bits(header: Header) -> int:
    """Return the bits in which Rice writes a large quotient."""
    return 16 if header.element.itemsize == 1 else 48


def may_be_dropped(band: Subband) -> bool:
    """Whether a plane is of the finest bands, which dropped channels go without."""
    return band[1] == 1 and band[0] != "LL"


def kept(coding: Coding, channels: int) -> npt.NDArray[np.intp]:
    """Return the channels that keep their finest bands."""
    return np.flatnonzero(~np.array(coding.dropped or (False,) * channels))


def _hints(band: Subband, shape: tuple[int, ...], planes: Planes, coding: Coding) -> Integers | None:
    """Return the hints for the contexts of a plane, None for one that is predicted."""
    if predicted(band, coding):
        return None
    channels, height, width = shape
    known = planes
    if may_be_dropped(band):
        known = {
            other: plane if may_be_dropped(other) else plane[kept(coding, len(plane))]
            for other, plane in planes.items()
        }
    return band_hints(band, (channels, height, width), known)
