"""Opening data by what the user typed: a file, a folder, or a loader."""

import re
from collections.abc import Sequence
from pathlib import Path

from qonnx_tools.data.arrays import ArrayDataset, read_npz
from qonnx_tools.data.dataset import Dataset
from qonnx_tools.data.folder import FolderDataset
from qonnx_tools.data.loader import open_loader
from qonnx_tools.data.model_input import ModelInput
from qonnx_tools.data.preprocessing import Preprocessing
from qonnx_tools.errors import DataError

_LOADER = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")


def open_data(
    source: str,
    preprocessing: Preprocessing | None,
    input_shape: Sequence[int | str | None],
    *,
    seed: int | None = 0,
    classes: int | None = None,
) -> Dataset:
    """Open images for a model, and labels where the source has them.

    Args:
        source: an ``.npz`` file (``images``, optionally ``labels``), a folder of images or of class folders, or
            ``module:function``.
        preprocessing: of uint8 images and image files; None feeds the pixels as they are, 0 to 255.
        input_shape: of the model's input, ``[batch, ...]``; a dimension that is no number may have any length.
        seed: of the order in which images are drawn, so that a limit takes a random sample with each class in its
            share; None keeps the order of the source. A loader that yields batches keeps its own order.
        classes: how many the model tells apart; given, a label outside is an error.

    Raises:
        DataError: there is no such source, it cannot be read, or it does not fit the model.
    """
    shape = tuple(size if isinstance(size, int) else None for size in input_shape)
    model_input = ModelInput(shape, preprocessing)
    path = Path(source)
    if path.is_dir():
        return FolderDataset(path, model_input, seed=seed, classes=classes)
    if path.exists() or path.suffix == ".npz":
        images, labels = read_npz(path)
        return ArrayDataset(images, labels, model_input, source, seed=seed, classes=classes)
    if _LOADER.fullmatch(source):
        return open_loader(source, model_input, seed=seed, classes=classes)
    raise DataError(f"{source}: no such file or folder; data are an .npz file, a folder of images, or module:function")
