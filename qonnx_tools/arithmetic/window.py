"""The sliding window of convolutions and poolings."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qonnx_tools.errors import ConfigError


@dataclass(frozen=True)
class Window:
    """Which elements of a map ``[*S]`` a window reads, as the attributes of ONNX Conv say it.

    kernel, strides and dilations have one number a dimension, pads has the begins of all dimensions, then the ends.
    """

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    pads: tuple[int, ...]
    dilations: tuple[int, ...]

    def __post_init__(self) -> None:
        rank = len(self.kernel)
        if not rank:
            raise ConfigError("kernel_shape is empty; give the size of the window in each dimension")
        for name, values, count, least in (
            ("kernel_shape", self.kernel, rank, 1),
            ("strides", self.strides, rank, 1),
            ("pads", self.pads, 2 * rank, 0),
            ("dilations", self.dilations, rank, 1),
        ):
            if len(values) != count or min(values) < least:
                raise ConfigError(f"{name} is {list(values)}; give {count} numbers from {least} up")

    @classmethod
    def of(
        cls,
        kernel: Sequence[int],
        strides: Sequence[int] = (),
        pads: Sequence[int] = (),
        dilations: Sequence[int] = (),
    ) -> "Window":
        """Return the window; what is empty is 1, of pads 0."""
        ones = (1,) * len(kernel)
        zeros = (0,) * (2 * len(kernel))
        return cls(tuple(kernel), tuple(strides) or ones, tuple(pads) or zeros, tuple(dilations) or ones)

    @property
    def spans(self) -> tuple[int, ...]:
        """How far the window reaches in each dimension: dilation * (kernel - 1) + 1."""
        return tuple(dilation * (size - 1) + 1 for size, dilation in zip(self.kernel, self.dilations, strict=True))

    def output_shape(self, spatial: Sequence[int]) -> tuple[int, ...]:
        """Return ``[*O]`` for a map ``[*S]``: (S + pads - dilation * (kernel - 1) - 1) // stride + 1."""
        rank = len(self.kernel)
        if len(spatial) != rank:
            raise ConfigError(f"a window {list(self.kernel)} does not fit a map {list(spatial)}: other dimensions")
        padded = [size + self.pads[at] + self.pads[at + rank] for at, size in enumerate(spatial)]
        if any(size < span for size, span in zip(padded, self.spans, strict=True)):
            raise ConfigError(
                f"a map {list(spatial)}, padded {padded}, is smaller than the window, which spans {list(self.spans)}"
            )
        return tuple(
            (size - span) // stride + 1 for size, span, stride in zip(padded, self.spans, self.strides, strict=True)
        )

    def views(self, x: npt.NDArray[np.int64], padding: int = 0) -> Iterator[npt.NDArray[np.int64]]:
        """Yield what each place of the kernel, row by row, reads of ``x`` ``[N, C, *S]``."""
        rank = len(self.kernel)
        out = self.output_shape(x.shape[2:])
        begins, ends = self.pads[:rank], self.pads[rank:]
        padded = np.pad(x, [(0, 0), (0, 0), *zip(begins, ends, strict=True)], constant_values=padding)
        for place in np.ndindex(*self.kernel):
            starts = [at * dilation for at, dilation in zip(place, self.dilations, strict=True)]
            slices = [
                slice(start, start + stride * (count - 1) + 1, stride)
                for start, stride, count in zip(starts, self.strides, out, strict=True)
            ]
            yield padded[:, :, *slices]
