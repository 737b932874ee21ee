"""How many bytes the feature maps of a converted model take, compressed: real streams with their headers."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from qonnx_tools.feature_map_codec import FeatureMapEncoder
from qonnx_tools.feature_map_plan import FeatureMapPlan
from qonnx_tools.graph import Model
from qonnx_tools.round_trips import CompressedMap, compressed_maps
from qonnx_tools.runtime import run, session

FLOAT_BITS = 32


@dataclass(frozen=True)
class Size:
    """Numbers of one image: ``values`` of them, ``own_bits`` at their own width, and ``bytes`` as stored, a mean."""

    values: int
    own_bits: int
    bytes: float

    @property
    def ratio_vs_32bit(self) -> float:
        """Bytes as 32-bit floats over bytes stored."""
        return self.values * FLOAT_BITS / 8 / self.bytes

    @property
    def ratio_vs_own_width(self) -> float:
        """Bytes at their own width over bytes stored."""
        return self.own_bits / 8 / self.bytes

    @property
    def bits_a_value(self) -> float:
        """Bits stored for each number."""
        return 8 * self.bytes / self.values


@dataclass(frozen=True)
class StoredMap:
    """A feature map as it is stored, of ``shape`` ``[C, H, W]`` and with codes of ``bits`` bits."""

    tensor: str
    plan: FeatureMapPlan
    shape: tuple[int, int, int]
    bits: int
    size: Size


@dataclass(frozen=True)
class StoredMaps:
    """All feature maps of a model that are stored compressed, in topological order."""

    maps: tuple[StoredMap, ...]

    @property
    def total(self) -> Size:
        """All of them together."""
        sizes = [item.size for item in self.maps]
        return Size(
            sum(size.values for size in sizes), sum(size.own_bits for size in sizes), sum(size.bytes for size in sizes)
        )


class MapMeter:
    """Runs a model for the codes of its feature maps, and encodes them image by image."""

    def __init__(self, model: Model, threads: int | None = None) -> None:
        self._maps = compressed_maps(model)
        names = [item.codes for item in self._maps]
        self._session = session(model, threads=threads, outputs=names) if names else None
        self._bytes = np.zeros(len(names), np.int64)
        self._encoders: dict[int, FeatureMapEncoder] = {}
        self._images = 0

    def run(self, images: npt.NDArray[np.float32]) -> None:
        """Count the bytes of the maps of ``images``."""
        if self._session is None:
            return
        results = run(self._session, images, [item.codes for item in self._maps])
        for at, (item, codes) in enumerate(zip(self._maps, results, strict=True)):
            self._bytes[at] += sum(len(self._encoder(at, item, each).encode(each)) for each in codes)
        self._images += len(images)

    def result(self) -> StoredMaps | None:
        """Return what was counted; None of a model that compresses no map, or before the first image."""
        if not self._images:
            return None
        found = []
        for at, (item, count) in enumerate(zip(self._maps, self._bytes.tolist(), strict=True)):
            shape = self._encoders[at].header.shape
            values = math.prod(shape)
            size = Size(values, values * item.format.bits, count / self._images)
            found.append(StoredMap(item.tensor, item.plan, shape, item.format.bits, size))
        return StoredMaps(tuple(found))

    def _encoder(self, at: int, item: CompressedMap, codes: npt.NDArray[np.integer]) -> FeatureMapEncoder:
        """Return the encoder of a map, for its element type and size."""
        encoder = self._encoders.get(at)
        if encoder is None or encoder.header.shape != codes.shape:
            encoder = self._encoders[at] = FeatureMapEncoder(item.header(codes))
        return encoder
