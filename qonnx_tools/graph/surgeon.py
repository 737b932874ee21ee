"""The one import of onnx-graphsurgeon."""

import onnx_graphsurgeon as gs  # noqa: TID251  # every other module takes gs from qonnx_tools.graph

__all__ = ["gs"]
