"""The header of a compressed feature map; ``docs/feature-map-bitstream.md`` says what is in each byte."""

import zlib
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.arithmetic.subband_quantization import LARGEST_STEP, STEP_UNIT, sixteenths
from qonnx_tools.arithmetic.wavelet import LEVELS, Subband, Wavelet, subband_shape, subbands
from qonnx_tools.errors import ConfigError, DataError

MAGIC = b"QF"
VERSION = 1
CHECKED_FROM = 6
"""The checksum, in the four bytes before, is of all bytes from here on."""
LONGEST_NUMBER = 5
"""Bytes of a number in the header."""
LARGEST_SIDE = 1 << 24
LARGEST_COUNT = 1 << 28
"""Samples of a map that a decoder accepts unless told otherwise."""
ELEMENTS = tuple(np.dtype(name) for name in ("int8", "uint8", "int16", "uint16", "int32", "uint32"))


class Transform(StrEnum):
    """What a map goes through before its numbers are coded; its position is its code in the header."""

    NONE = "none"
    PREDICTIVE = "predictive"
    HAAR = Wavelet.HAAR.value
    WAVELET53 = Wavelet.WAVELET53.value


class Coder(StrEnum):
    """How numbers become bits; its position is its code in the header."""

    SPARSE_GOLOMB = "sparse-golomb"
    RICE = "rice"
    CONTEXT = "context"


@dataclass(frozen=True)
class Coding:
    """How to compress a map.

    ``levels`` is 1..3 with a wavelet and 0 without, ``step`` in LSB, a multiple of 1/16 (1: lossless), ``dropped``
    says of each channel whether its finest HL, LH and HH are left out (empty: of none).
    """

    transform: str = Transform.PREDICTIVE
    coder: str = Coder.CONTEXT
    levels: int = 0
    step: float = 1
    dropped: tuple[bool, ...] = ()

    def __post_init__(self) -> None:
        for name, kind in (("transform", Transform), ("coder", Coder)):
            known = [member.value for member in kind]
            if getattr(self, name) not in known:
                raise ConfigError(f"{name} '{getattr(self, name)}' is unknown; choose one of {', '.join(known)}")
        fewest, most = LEVELS
        if self.wavelet is None and self.levels:
            raise ConfigError(f"levels is {self.levels}; transform '{self.transform}' has none, take 0")
        if self.wavelet is not None and not fewest <= self.levels <= most:
            raise ConfigError(f"levels is {self.levels}; transform '{self.transform}' has {fewest} to {most}")
        if self.wavelet is None and any(self.dropped):
            raise ConfigError(f"dropped: transform '{self.transform}' has no bands to leave out")
        sixteenths(self.step)

    @property
    def wavelet(self) -> Wavelet | None:
        """The wavelet, if the transform is one."""
        return Wavelet(self.transform) if self.transform in list(Wavelet) else None


@dataclass(frozen=True)
class Header:
    """What the header of a stream says: the map's element type, format and shape ``[C, H, W]``, and the coding."""

    element: np.dtype[np.integer]
    number_format: FixedPoint
    shape: tuple[int, int, int]
    coding: Coding

    def planes(self) -> tuple[tuple[Subband, tuple[int, int, int]], ...]:
        """Return the planes of the stream in their order, with their shapes; ``("", 0)`` where there is no wavelet."""
        channels, height, width = self.shape
        if self.coding.wavelet is None:
            return ((("", 0), self.shape),)
        kept = channels - sum(self.coding.dropped)
        bands = subbands(self.coding.levels)
        counts = [kept if band[1] == 1 and band[0] != "LL" else channels for band in bands]
        shapes = [(count, *subband_shape(band, height, width)) for count, band in zip(counts, bands, strict=True)]
        return tuple(zip(bands, shapes, strict=True))


def write_stream(header: Header, payload: bytes) -> bytes:
    """Return header and payload as one stream."""
    coding, form = header.coding, header.number_format
    mask = any(coding.dropped)
    kind = list(Coder).index(Coder(coding.coder))
    transform = list(Transform).index(Transform(coding.transform))
    fixed = [
        VERSION | kind << 6,
        ELEMENTS.index(header.element) | transform << 3 | coding.levels << 5 | mask << 7,
        (form.bits - 1) | form.signed << 5 | form.narrow << 6,
    ]
    numbers = (*header.shape, sixteenths(coding.step), len(payload))
    dropped = np.packbits(coding.dropped, bitorder="little").tobytes() if mask else b""
    checked = bytes(fixed) + b"".join(map(_number, numbers)) + dropped + payload
    return MAGIC + zlib.crc32(checked).to_bytes(4, "little") + checked


def read_stream(stream: bytes, limit: int = LARGEST_COUNT) -> tuple[Header, bytes]:
    """Return header and payload; ``DataError`` if the stream is damaged or holds more than ``limit`` samples."""
    if stream[:2] != MAGIC:
        raise DataError("this is no compressed feature map: it does not begin with 'QF'")
    if len(stream) < CHECKED_FROM + 3:
        raise DataError("the stream ends too early; it is damaged")
    first, second, third = stream[CHECKED_FROM : CHECKED_FROM + 3]
    if first & 63 != VERSION:
        raise DataError(f"the stream is of version {first & 63}; this decoder reads version {VERSION}")
    if zlib.crc32(stream[CHECKED_FROM:]) != int.from_bytes(stream[2:CHECKED_FROM], "little"):
        raise DataError("the checksum does not fit the stream; it is damaged")
    position = CHECKED_FROM + 3
    numbers = []
    for _ in range(5):
        number, position = _read_number(stream, position)
        numbers.append(number)
    channels, height, width, step, length = numbers
    if not all(1 <= side <= LARGEST_SIDE for side in (channels, height, width)):
        raise DataError(f"the stream has the shape [{channels}, {height}, {width}]; it is damaged")
    if channels * height * width > limit:
        raise DataError(f"the stream holds {channels * height * width} samples, more than the limit of {limit}")
    mask_bytes = (channels + 7) // 8 if second >> 7 else 0
    if len(stream) != position + mask_bytes + length:
        raise DataError("the stream is not as long as its header says; it is damaged")
    bits = np.unpackbits(np.frombuffer(stream[position : position + mask_bytes], np.uint8), bitorder="little")
    if bits[channels:].any():
        raise DataError("the stream drops channels that it does not have; it is damaged")
    dropped = tuple(map(bool, bits[:channels]))
    header = Header(*_kinds(first, second, third, step, dropped, (channels, height, width)))
    return header, stream[position + mask_bytes :]


def _kinds(
    first: int, second: int, third: int, step: int, dropped: tuple[bool, ...], shape: tuple[int, int, int]
) -> tuple[np.dtype[np.integer], FixedPoint, tuple[int, int, int], Coding]:
    """Return the fields of a header from the numbers that stand for them."""
    element, coder = second & 7, first >> 6
    if element >= len(ELEMENTS) or coder >= len(Coder) or third >> 7 or not STEP_UNIT <= step <= LARGEST_STEP:
        raise DataError("the header holds a number that no encoder writes; the stream is damaged")
    try:
        form = FixedPoint((third & 31) + 1, 0, bool(third >> 5 & 1), bool(third >> 6 & 1))
        transform = list(Transform)[second >> 3 & 3]
        coding = Coding(transform, list(Coder)[coder], second >> 5 & 3, step / STEP_UNIT, dropped)
    except ConfigError as error:
        raise DataError(f"the header contradicts itself: {error}; the stream is damaged") from error
    if not fits(form, ELEMENTS[element]):
        raise DataError("the header contradicts itself: codes wider than their elements; the stream is damaged")
    return ELEMENTS[element], form, shape, coding


def split_streams(streams: bytes) -> list[bytes]:
    """Return streams that lie one behind the other; ``DataError`` where one begins or ends as none does."""
    found = []
    while streams:
        end = _end_of(streams)
        found.append(streams[:end])
        streams = streams[end:]
    return found


def _end_of(streams: bytes) -> int:
    """Return where the first stream ends, by what its header says; the rest of it is not checked."""
    if streams[:2] != MAGIC:
        raise DataError("this is no compressed feature map: it does not begin with 'QF'")
    position = CHECKED_FROM + 3
    if len(streams) < position:
        raise DataError("the stream ends too early; it is damaged")
    if streams[CHECKED_FROM] & 63 != VERSION:
        raise DataError(f"the stream is of version {streams[CHECKED_FROM] & 63}; this decoder reads version {VERSION}")
    mask = streams[CHECKED_FROM + 1] >> 7
    numbers = []
    for _ in range(5):
        number, position = _read_number(streams, position)
        numbers.append(number)
    end = position + (numbers[0] + 7) // 8 * mask + numbers[-1]
    if end > len(streams):
        raise DataError("the stream ends too early; it is damaged")
    return end


def fits(form: FixedPoint, element: np.dtype[np.integer]) -> bool:
    """Whether an element type holds all codes of a format."""
    low, high = form.code_range
    limits = np.iinfo(element)
    return bool(limits.min <= low and high <= limits.max)


def _number(value: int) -> bytes:
    """Return ``value``, 7 bits a byte, the lowest first; the highest bit of a byte says that more follow."""
    found = bytearray()
    while value >= 128:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


def _read_number(stream: bytes, position: int) -> tuple[int, int]:
    """Return the number at ``position`` and where it ends."""
    value = 0
    for count in range(LONGEST_NUMBER):
        if position >= len(stream):
            raise DataError("the stream ends too early; it is damaged")
        byte = stream[position]
        position += 1
        value |= (byte & 127) << 7 * count
        if byte < 128:
            return value, position
    raise DataError("the header holds a number that no encoder writes; the stream is damaged")
