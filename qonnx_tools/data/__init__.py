"""Labelled and calibration data: ``.npz`` files, image folders, a user's own loader, and synthetic images."""

from qonnx_tools.data.dataset import Batch, Dataset
from qonnx_tools.data.preprocessing import ChannelOrder, Layout, Preprocessing
from qonnx_tools.data.presets import preprocessing, preprocessing_from_toml, presets
from qonnx_tools.data.source import open_data
from qonnx_tools.data.synthetic import synthetic_images

__all__ = [
    "Batch",
    "ChannelOrder",
    "Dataset",
    "Layout",
    "Preprocessing",
    "open_data",
    "preprocessing",
    "preprocessing_from_toml",
    "presets",
    "synthetic_images",
]
