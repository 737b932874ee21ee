"""Making stored images into an input of the model, or saying why they do not fit."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from qonnx_tools.data.preprocessing import Layout, Preprocessing
from qonnx_tools.errors import DataError

RAW_NOTE = "No preprocessing was given: the model is fed the pixel values as they are stored."


@dataclass(frozen=True)
class ModelInput:
    """The shape of the model's input, ``[batch, ...]``, a dimension of any length being None, and the preprocessing.

    uint8 images are pixels: they go through ``preprocessing``, or become floats of the same value where it is None.
    Floating-point images are taken to be preprocessed: they pass as they are, and preprocessing them is refused.
    """

    shape: tuple[int | None, ...]
    preprocessing: Preprocessing | None

    @property
    def pixels(self) -> Preprocessing:
        """The preprocessing of uint8 images."""
        return self.preprocessing or Preprocessing()

    def channels(self) -> int:
        """Return how many channels an image file is to be read with: 1 or 3."""
        if len(self.shape) != 4:
            raise DataError(f"the model's input is {_shown(self.shape)}; image files need an input of 4 dimensions")
        layout = self.pixels.layout
        wanted = self.shape[1] if layout is Layout.NCHW else self.shape[3]
        if wanted not in {1, 3, None}:
            other = "NHWC" if layout is Layout.NCHW else "NCHW"
            raise DataError(
                f"the model's input is {_shown(self.shape)}, read as {layout} that is {wanted} channels, and image "
                f"files have 1 or 3; give the layout {other} if that is the model's"
            )
        return wanted or 3

    def check_kind(self, images: npt.NDArray[Any], source: str) -> None:
        """Raise DataError unless the images' type and dimensions are ones that this package reads."""
        if images.dtype == np.uint8:
            shown = _shown((None, *images.shape[1:]))
            if images.ndim not in {3, 4}:
                raise DataError(f"{source}: uint8 images must be [N, H, W, C] or [N, H, W], not {shown}")
            if images.ndim == 4 and images.shape[3] not in {1, 3} and images.shape[1] in {1, 3}:
                raise DataError(
                    f"{source}: uint8 images of shape {shown} look like [N, C, H, W]; store them as [N, H, W, C]"
                )
        elif not np.issubdtype(images.dtype, np.floating):
            raise DataError(f"{source}: images are {images.dtype}; store pixels as uint8, or model inputs as float32")
        elif self.preprocessing is not None:
            raise DataError(
                f"{source}: images are {images.dtype}, so they count as preprocessed; "
                "leave the preprocessing options out, or store the pixels as uint8"
            )

    def prepare(self, images: npt.NDArray[Any], source: str) -> npt.NDArray[np.float32]:
        """Return stored images, ``[n, ...]``, as the model reads them.

        Raises:
            DataError: the type or the shape does not fit, or a value is NaN or infinite.
        """
        self.check_kind(images, source)
        if images.dtype == np.uint8:
            try:
                ready = self.pixels.apply(images[..., None] if images.ndim == 3 else images)
            except DataError as error:
                raise DataError(f"{source}: {error}") from error
        else:
            ready = images.astype(np.float32)
            if not np.isfinite(ready).all():
                raise DataError(
                    f"{source}: an image holds NaN, infinite or too large values for float32; mend the data"
                )
        self._check_shape(ready.shape, images, source)
        return ready

    def _check_shape(self, ready: Sequence[int], images: npt.NDArray[Any], source: str) -> None:
        if len(ready) == len(self.shape) and all(
            want in {None, have} for want, have in zip(self.shape[1:], ready[1:], strict=True)
        ):
            return
        stored = "" if tuple(ready[1:]) == images.shape[1:] else f" (stored as {_shown((None, *images.shape[1:]))})"
        message = f"{source}: images reach the model as {_shown((None, *ready[1:]))}{stored}"
        raise DataError(f"{message}, its input is {_shown((None, *self.shape[1:]))}; {self._remedy(ready, images)}")

    def _remedy(self, ready: Sequence[int], images: npt.NDArray[Any]) -> str:
        if images.dtype != np.uint8:
            return "store floating-point images in the shape of the model's input"
        if len(self.shape) != 4:
            return "such an input needs floating-point data in the model's own shape"
        nchw = self.pixels.layout is Layout.NCHW
        swapped = [ready[0], *ready[2:], ready[1]] if nchw else [ready[0], ready[3], *ready[1:3]]
        if all(want in {None, have} for want, have in zip(self.shape[1:], swapped[1:], strict=True)):
            return f"give the layout {'NHWC' if nchw else 'NCHW'}"
        channels, size = (1, self.shape[2:]) if nchw else (3, self.shape[1:3])
        if self.shape[channels] not in {None, ready[channels]}:
            return f"the model wants {self.shape[channels]} channels and the images have {ready[channels]}"
        if size[0] == size[1]:
            return f"resize and crop to {size[0]}"
        return "store the images in the size of the model's input"


def _shown(shape: Sequence[int | None]) -> str:
    return f"[{', '.join('N' if size is None else str(size) for size in shape)}]"
