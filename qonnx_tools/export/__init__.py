"""The accelerator package: a native graph as files that an RTL engineer builds against."""

from qonnx_tools.export.package import Exported, export

__all__ = ["Exported", "export"]
