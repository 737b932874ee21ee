"""qonnx-tools: ONNX graph transformations for CNNs on FPGAs and ASICs.

The names below are the public Python interface. They are loaded on first use, so that importing the package is cheap.
"""

import importlib
from typing import Any

__version__ = "0.1.0"

_HOME = {
    "convert": "qonnx_tools.conversion",
    "evaluate": "qonnx_tools.evaluation",
    "library_path": "qonnx_tools.runtime",
    "load_plan": "qonnx_tools.plan",
    "session": "qonnx_tools.runtime",
    "verify": "qonnx_tools.verification",
}
__all__ = ["__version__", *sorted(_HOME)]  # noqa: PLE0604  # the names are strings, from the table above


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'qonnx_tools' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOME[name]), name)
