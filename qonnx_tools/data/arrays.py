"""Images held in one array, from an ``.npz`` file or a user's loader."""

import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from qonnx_tools.data.dataset import Batch, Dataset, capped, checked_labels, draw_order, spans
from qonnx_tools.data.model_input import RAW_NOTE, ModelInput
from qonnx_tools.errors import DataError


class ArrayDataset(Dataset):
    """Images and labels in memory as they were stored; a batch is preprocessed when it is asked for.

    Args:
        images: uint8 ``[N, H, W, C]`` or ``[N, H, W]``, or floating point in the shape of the model's input.
        labels: integers ``[N]``, or None.
        model_input: what the images must become.
        source: what error messages and the description call the data.
        seed: of the order (`draw_order`); None keeps the order of the arrays.
        classes: of the model; a label at or above is an error. None leaves that unchecked.
    """

    def __init__(
        self,
        images: npt.NDArray[Any],
        labels: npt.NDArray[Any] | None,
        model_input: ModelInput,
        source: str,
        *,
        seed: int | None = None,
        classes: int | None = None,
    ) -> None:
        if images.ndim == 0 or images.size == 0:
            raise DataError(f"{source}: 'images' is empty, of shape {list(images.shape)}; there must be an image")
        model_input.prepare(images[:1], source)  # says at once what does not fit
        self._images = images
        self._labels = None if labels is None else checked_labels(labels, len(images), classes, source)
        self._order = draw_order(self._labels, len(images), seed)
        self._input = model_input
        self._source = source
        self.description = f"{len(images)} images of {source}"
        self.notes = (RAW_NOTE,) if images.dtype == np.uint8 and model_input.preprocessing is None else ()

    @property
    def has_labels(self) -> bool:
        return self._labels is not None

    def count(self, limit: int | None = None) -> int:
        return capped(len(self._images), limit)

    def batches(self, size: int, limit: int | None = None) -> Iterator[Batch]:
        for span in spans(self.count(limit), size):
            chosen = self._order[span]
            images = self._input.prepare(self._images[chosen], self._source)
            yield Batch(images, None if self._labels is None else self._labels[chosen])


def read_npz(path: Path) -> tuple[npt.NDArray[Any], npt.NDArray[Any] | None]:
    """Return the arrays ``images`` and, where there is one, ``labels`` of an ``.npz`` file.

    Raises:
        DataError: the file cannot be read, is not an ``.npz`` file, has no ``images``, or holds Python objects.
    """
    try:
        loaded = np.load(path, allow_pickle=False)
        if not isinstance(loaded, np.lib.npyio.NpzFile):
            raise DataError(f"{path}: a single array, not an .npz file; write it with numpy.savez(images=...)")
        with loaded as archive:
            if "images" not in archive:
                names = ", ".join(archive) or "none"
                raise DataError(f"{path}: no array called 'images' (there are: {names}); rename it or add it")
            images, labels = archive["images"], archive.get("labels")
    except OSError as error:
        raise DataError(f"{path}: cannot read the file: {error.strerror or error}") from error
    except (ValueError, EOFError) as error:
        if "pickle" in str(error):
            reason = "not an .npz file, or one that holds Python objects"
        else:
            reason = f"not an .npz file: {error}"
        raise DataError(f"{path}: {reason}; write plain arrays with numpy.savez(images=..., labels=...)") from error
    except (zipfile.BadZipFile, zlib.error, RuntimeError, MemoryError) as error:
        raise DataError(f"{path}: truncated, damaged or encrypted ({error}); write the .npz file again") from error
    if not isinstance(images, np.ndarray) or not isinstance(labels, np.ndarray | None):
        raise DataError(f"{path}: 'images' or 'labels' is no numpy array; write the file with numpy.savez")
    return images, labels
