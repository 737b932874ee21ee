"""Preprocessing: from stored pixels to the numbers that a model reads."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from typing import Any, Self, SupportsFloat

import numpy as np
import numpy.typing as npt

from qonnx_tools.errors import ConfigError, DataError


class Layout(StrEnum):
    """The order of the dimensions of the model's input."""

    NCHW = "NCHW"
    NHWC = "NHWC"


class ChannelOrder(StrEnum):
    """The order of the colours in the model's input; stored images are RGB."""

    RGB = "RGB"
    BGR = "BGR"


@dataclass(frozen=True)
class Preprocessing:
    """Resize, crop, then ``(pixel * scale - mean) / std``, in float32.

    ``mean`` and ``std`` hold one value for all channels or one a channel, in the order in which the model reads the
    channels. ``resize`` is the length in pixels of the shorter side, ``crop`` the side of the square cut from the
    middle; 0 leaves the size as it is. The defaults leave the pixels as they are.
    """

    scale: float = 1.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    channel_order: ChannelOrder = ChannelOrder.RGB
    layout: Layout = Layout.NCHW
    resize: int = 0
    crop: int = 0

    def __post_init__(self) -> None:
        if not math.isfinite(self.scale) or self.scale == 0:
            raise ConfigError(f"scale is {self.scale}; it must be a finite number other than 0")
        for name, values in (("mean", self.mean), ("std", self.std)):
            if not values or not all(map(math.isfinite, values)):
                raise ConfigError(f"{name} is {_shown(values)}; it must be finite numbers, one or one a channel")
        if min(self.std) <= 0:
            raise ConfigError(f"std is {_shown(self.std)}; every value must be above 0")
        if len({1, len(self.mean), len(self.std)}) > 2:
            raise ConfigError(f"mean has {len(self.mean)} values and std {len(self.std)}; give as many, or one")
        for name, side in (("resize", self.resize), ("crop", self.crop)):
            if side < 0:
                raise ConfigError(f"{name} is {side}; it must be a number of pixels, or 0 to leave the size as it is")
        if 0 < self.resize < self.crop:
            raise ConfigError(f"crop is {self.crop}, more than resize, {self.resize}; it must be resize or less")

    def apply(self, images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Return ``images``, ``[N, H, W, C]`` of one size, as the model reads them: float32, in the model's layout.

        Raises:
            DataError: the channels do not fit ``mean``, ``std`` or ``channel_order``, or the crop is too large.
        """
        if self.resize or self.crop:
            images = np.stack([self.fit(image) for image in images])
        return self.normalize(images)

    def fit(self, image: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return one image, ``[H, W, C]``, resized (bilinear, antialiased; uint8 only) and cropped.

        An image that is a square of side ``crop`` already counts as resized and cropped, and is left as it is.
        """
        if self.crop and image.shape[:2] == (self.crop, self.crop):
            return image
        if self.resize and min(image.shape[:2]) != self.resize:
            image = _resized(image, self.resize)
        if not self.crop:
            return image
        height, width = image.shape[:2]
        if min(height, width) < self.crop:
            raise DataError(
                f"an image of {width}x{height} pixels is too small for crop {self.crop}; resize to {self.crop} or more"
            )
        top, left = (height - self.crop) // 2, (width - self.crop) // 2
        return image[top : top + self.crop, left : left + self.crop]

    def normalize(self, images: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
        """Return ``[N, H, W, C]`` pixels as float32 values in the model's channel order and layout."""
        channels = images.shape[-1]
        for name, given in (("mean", self.mean), ("std", self.std)):
            if len(given) not in {1, channels}:
                raise DataError(f"{name} has {len(given)} values, the images have {channels} channels")
        if self.channel_order is ChannelOrder.BGR:
            if channels != 3:
                raise DataError(f"channel order BGR needs 3 channels, the images have {channels}")
            images = images[..., ::-1]
        values = images.astype(np.float32)
        values *= np.float32(self.scale)
        values -= np.array(self.mean, np.float32)
        values /= np.array(self.std, np.float32)
        return np.ascontiguousarray(values.transpose(0, 3, 1, 2) if self.layout is Layout.NCHW else values)

    def with_options(self, options: Mapping[str, object], source: str) -> Self:
        """Return a copy with the fields named in ``options`` replaced, each checked for its type.

        ``source`` says in error messages where the options stand, for example a file's name. ``mean`` and ``std``
        may be a number or a list.

        Raises:
            ConfigError: an unknown option, or a value of the wrong type or out of range.
        """
        known = [field.name for field in fields(self)]
        for name in options:
            if name not in known:
                raise ConfigError(f"{source}: unknown option '{name}'; there are {', '.join(known)}")
        try:
            decoded: dict[str, Any] = {name: _decoded(name, value) for name, value in options.items()}
            return replace(self, **decoded)
        except ConfigError as error:
            raise ConfigError(f"{source}: {error}") from error


def _shown(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values) or "empty"


def _decoded(name: str, value: object) -> object:
    """Return an option's value in its field's type."""
    match name:
        case "mean" | "std":
            listed = value if isinstance(value, Sequence | np.ndarray) and not isinstance(value, str) else [value]
            return tuple(_number(name, item) for item in listed)
        case "scale":
            return _number(name, value)
        case "layout":
            return _choice(name, value, Layout)
        case "channel_order":
            return _choice(name, value, ChannelOrder)
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigError(f"{name} is {value!r}; it must be a whole number of pixels")
    return value


def _number(name: str, value: object) -> float:
    if isinstance(value, (bool, str)) or not isinstance(value, SupportsFloat):
        raise ConfigError(
            f"{name} is {value!r}; it must be a number" + (" or a list of them" if name != "scale" else "")
        )
    return float(value)


def _choice(name: str, value: object, choices: type[Layout] | type[ChannelOrder]) -> Layout | ChannelOrder:
    try:
        return choices(str(value).upper())
    except ValueError:
        raise ConfigError(f"{name} is {value!r}; it must be {' or '.join(choices)}") from None


def _resized(image: npt.NDArray[Any], short_side: int) -> npt.NDArray[np.uint8]:
    from PIL import Image  # noqa: PLC0415  # slow to import, and only resizing needs it

    if image.dtype != np.uint8:
        raise DataError(f"resize needs uint8 images, these are {image.dtype}; resize them before you store them")
    height, width = image.shape[:2]
    size = (short_side * width // min(height, width), short_side * height // min(height, width))
    planes = [Image.fromarray(plane).resize(size, Image.Resampling.BILINEAR) for plane in np.moveaxis(image, -1, 0)]
    return np.stack([np.asarray(plane, dtype=np.uint8) for plane in planes], axis=-1)
