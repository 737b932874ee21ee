"""Strings of bits, the first bit of a byte being its lowest."""

from qonnx_tools.errors import DataError


class BitWriter:
    """Bits written one after the other."""

    def __init__(self) -> None:
        self._value = 0
        self._count = 0

    def write(self, value: int, count: int) -> None:
        """Append the ``count`` lowest bits of ``value``, the lowest first."""
        self._value |= (value & ((1 << count) - 1)) << self._count
        self._count += count

    def write_unary(self, value: int) -> None:
        """Append ``value`` zeros and a one."""
        self.write(1 << value, value + 1)

    def to_bytes(self) -> bytes:
        """Return all bits, zeros up to a whole byte behind them."""
        return self._value.to_bytes((self._count + 7) // 8, "little")


class BitReader:
    """Bits read one after the other."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "little")
        self._left = 8 * len(data)
        self._count = 0

    def read(self, count: int) -> int:
        """Return the next ``count`` bits; ``DataError`` behind the end."""
        if count > self._left:
            raise DataError("the stream ends too early; it is damaged")
        found = self._value & ((1 << count) - 1)
        self._value >>= count
        self._left -= count
        self._count += count
        return found

    def read_unary(self, most: int) -> int:
        """Return how many zeros there are before the next one; ``DataError`` if more than ``most``."""
        found = 0
        while self.read(1) == 0:
            found += 1
            if found > most:
                raise DataError("the stream holds a number that no encoder writes; it is damaged")
        return found

    @property
    def bytes_read(self) -> int:
        """How many bytes the bits read so far fill."""
        return (self._count + 7) // 8
