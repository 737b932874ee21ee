"""The project's ONNX ops: one file an op, and everything that is generated from the definitions.

A file here that defines an ``Op`` adds that op: its schema is registered with onnx, its function body goes into
saved models and the shared tests run over it. What an op computes is said in ``qonnx_tools.arithmetic``.
"""

from qonnx_tools.ops._conv_add import ConvAddOp
from qonnx_tools.ops.op import DOMAIN, DOMAIN_VERSION, QONNX_DOMAINS, Attribute, FormatOp, Input, Op
from qonnx_tools.ops.table import function_bodies, op_table, register_schemas

__all__ = [
    "DOMAIN",
    "DOMAIN_VERSION",
    "QONNX_DOMAINS",
    "Attribute",
    "ConvAddOp",
    "FormatOp",
    "Input",
    "Op",
    "function_bodies",
    "op_table",
    "register_schemas",
]
