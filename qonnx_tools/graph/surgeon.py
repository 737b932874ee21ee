"""The one import of onnx-graphsurgeon."""

import onnx_graphsurgeon as gs  # noqa: TID251  # every other module takes gs from qonnx_tools.graph
from onnx_graphsurgeon.logger import G_LOGGER  # noqa: TID251

G_LOGGER.severity = G_LOGGER.ERROR  # what it warns of is checked, carried or refused here

__all__ = ["gs"]
