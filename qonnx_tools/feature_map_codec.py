"""Feature maps compressed and decompressed by the compiled library: the bytes of ``arithmetic.coding``, fast."""

import ctypes
from enum import IntEnum
from functools import cache
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from qonnx_tools.arithmetic.bitstream import ELEMENTS, LARGEST_COUNT, Coder, Coding, Header, Transform
from qonnx_tools.arithmetic.coding import check_codes, header_of
from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.arithmetic.subband_quantization import sixteenths
from qonnx_tools.errors import ConfigError, DataError
from qonnx_tools.runtime import library_path

Codes = npt.NDArray[np.integer]


class Status(IntEnum):
    """What the library returns (custom_ops/codec/feature_map_header.h)."""

    GOOD = 0
    NO_STREAM = 1
    VERSION = 2
    CHECKSUM = 3
    DAMAGED = 4
    TOO_LARGE = 5
    ARGUMENT = 6
    OUTSIDE_FORMAT = 7
    BUFFER_TOO_SMALL = 8
    OUT_OF_MEMORY = 9
    CPU = 10


OF_A_STREAM = {
    Status.NO_STREAM: "this is no compressed feature map: it does not begin with 'QF'",
    Status.VERSION: "the stream is of a version that this decoder does not read; update qonnx-tools",
    Status.CHECKSUM: "the checksum does not fit the stream; it is damaged",
    Status.DAMAGED: "the stream holds what no encoder writes; it is damaged",
    Status.TOO_LARGE: "the stream holds more samples than the limit; raise the limit if that is right",
}


class CodingStruct(ctypes.Structure):
    """A map and how to compress it, as the library reads it."""

    _fields_ = (
        *((name, ctypes.c_int32) for name in ("element", "transform", "levels", "coder")),
        *((name, ctypes.c_int32) for name in ("bits", "is_signed", "narrow", "step")),
        *((name, ctypes.c_int64) for name in ("channels", "height", "width")),
        ("dropped", ctypes.c_void_p),
    )


class FeatureMapEncoder:
    """Compresses maps of one element type and shape ``[C, H, W]``, with memory of its own; not for several threads."""

    def __init__(self, header: Header) -> None:
        self.header = header
        self._dropped = np.array(header.coding.dropped, np.uint8)
        self._coding = _struct(header, self._dropped)
        bound = _library().QonnxToolsFeatureMapBound(ctypes.byref(self._coding))
        if not bound:
            raise ConfigError(f"a feature map {list(header.shape)} of {header.element} is too large to be coded")
        self._stream = np.empty(bound, np.uint8)

    def encode(self, codes: Codes) -> bytes:
        """Return the stream of ``codes``; ``DataError`` if they are outside the number format."""
        if codes.dtype != self.header.element or codes.shape != self.header.shape:
            wanted = f"{self.header.element} {list(self.header.shape)}"
            raise DataError(f"the feature map is {codes.dtype} {list(codes.shape)}; the encoder is for {wanted}")
        given = np.ascontiguousarray(codes)
        size = ctypes.c_size_t(self._stream.size)
        status = _library().QonnxToolsFeatureMapEncode(
            ctypes.byref(self._coding), given.ctypes.data, self._stream.ctypes.data, ctypes.byref(size)
        )
        if status == Status.OUTSIDE_FORMAT:
            check_codes(given, self.header.number_format)
        _check(status)
        return self._stream[: size.value].tobytes()

    def round_trip(self, codes: Codes) -> Codes:
        """Return what decoding the stream of ``codes`` gives, without the stream."""
        given = np.ascontiguousarray(codes)
        decoded = np.empty(self.header.shape, self.header.element)
        status = _library().QonnxToolsFeatureMapRoundTrip(
            ctypes.byref(self._coding), given.ctypes.data, decoded.ctypes.data
        )
        if status == Status.OUTSIDE_FORMAT:
            check_codes(given, self.header.number_format)
        _check(status)
        return decoded


def compress(codes: Codes, coding: Coding, number_format: FixedPoint | None = None) -> bytes:
    """Return the stream of ``codes`` ``[C, H, W]``; their number format is the whole element type by default.

    Raises:
        ConfigError: the coding does not fit the codes.
        DataError: the codes are no feature map, or outside their format.
    """
    return FeatureMapEncoder(header_of(codes, coding, number_format)).encode(codes)


def decompress(stream: bytes, limit: int = LARGEST_COUNT, out: Codes | None = None) -> Codes:
    """Return the codes of a stream; ``DataError`` if it is damaged or holds more than ``limit`` samples.

    They are written to ``out`` where it is given: contiguous, of the shape and the element type of the map. What is in
    it after an error is unspecified.
    """
    library = _library()
    coding = CodingStruct()
    _check(library.QonnxToolsFeatureMapRead(stream, len(stream), limit, ctypes.byref(coding)))
    shape, element = (coding.channels, coding.height, coding.width), ELEMENTS[coding.element]
    if out is not None and (out.shape != shape or out.dtype != element or not out.flags.carray):
        raise DataError(f"the stream holds {element} {list(shape)}; out is {out.dtype} {list(out.shape)}")
    codes = np.empty(shape, element) if out is None else out
    _check(library.QonnxToolsFeatureMapDecode(stream, len(stream), limit, codes.ctypes.data, codes.nbytes))
    return codes


def _struct(header: Header, dropped: npt.NDArray[np.uint8]) -> CodingStruct:
    coding, form = header.coding, header.number_format
    return CodingStruct(
        ELEMENTS.index(header.element),
        list(Transform).index(Transform(coding.transform)),
        coding.levels,
        list(Coder).index(Coder(coding.coder)),
        form.bits,
        form.signed,
        form.narrow,
        sixteenths(coding.step),
        *header.shape,
        dropped.ctypes.data if dropped.size else None,
    )


@cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(str(library_path()))
    library.QonnxToolsFeatureMapBound.restype = ctypes.c_size_t
    library.QonnxToolsFeatureMapBound.argtypes = (ctypes.c_void_p,)
    library.QonnxToolsFeatureMapEncode.argtypes = (ctypes.c_void_p,) * 4
    library.QonnxToolsFeatureMapRoundTrip.argtypes = (ctypes.c_void_p,) * 3
    stream = (ctypes.c_char_p, ctypes.c_size_t, ctypes.c_int64)
    library.QonnxToolsFeatureMapRead.argtypes = (*stream, ctypes.c_void_p)
    library.QonnxToolsFeatureMapDecode.argtypes = (*stream, ctypes.c_void_p, ctypes.c_size_t)
    return library


def _check(status: int) -> None:
    if status != Status.GOOD:
        _refuse(Status(status))


def _refuse(status: Status) -> NoReturn:
    if status in OF_A_STREAM:
        raise DataError(OF_A_STREAM[status])
    if status == Status.OUT_OF_MEMORY:
        raise MemoryError
    if status == Status.CPU:
        raise ConfigError("the environment variable QONNX_TOOLS_SIMD names no SIMD level of this CPU; unset it")
    raise ConfigError(f"the library refuses the coding of a feature map ({status.name})")
