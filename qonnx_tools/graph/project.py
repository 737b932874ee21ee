"""What the op table of qonnx-tools says about the nodes of a model."""

from collections.abc import Iterable

import onnx

from qonnx_tools import ops
from qonnx_tools.ops.channels_last import CHANNELS_LAST, LAID_OUT, channels_last_body

_FORMER_NAME = "ai.onnx"


def plain_domain(domain: str | None) -> str:
    """Return ``domain``, with "" for every spelling of the default domain."""
    return "" if domain is None or domain == _FORMER_NAME else domain


def is_project_op(domain: str | None, name: str) -> bool:
    """Tell whether the op table has ``domain::name``."""
    return (plain_domain(domain), name) in ops.op_table()


def register_schemas() -> None:
    """Let onnx know the project's ops."""
    ops.register_schemas()


def project_functions(used: Iterable[tuple[str, str]], opset: int) -> list[onnx.FunctionProto]:
    """Return the function bodies of the project ops and channels-last ops among ``used``, by domain and name."""
    table, known = ops.op_table(), set(used)
    bodies = ops.function_bodies(sorted(op for op in known if op in table), opset)
    return [*bodies, *(channels_last_body(name, opset) for domain, name in sorted(known) if is_laid_out(domain, name))]


def is_laid_out(domain: str | None, name: str) -> bool:
    """Tell whether ``domain::name`` is one of the channels-last ops that have a function body here."""
    return has_layout(domain) and name in LAID_OUT


def stand_in(node: onnx.NodeProto) -> list[onnx.NodeProto]:
    """Return standard nodes with the type and shape of the project op ``node``."""
    return ops.op_table()[plain_domain(node.domain), node.op_type].stand_in(node)


def has_layout(domain: str | None) -> bool:
    """Tell whether ``domain`` is that of the channels-last ops."""
    return domain == CHANNELS_LAST


def has_schema(domain: str | None, name: str, version: int) -> bool:
    """Tell whether onnx or the op table defines ``domain::name`` at this opset version."""
    domain = plain_domain(domain)
    if is_project_op(domain, name) or is_laid_out(domain, name):
        return True
    try:
        schema = onnx.defs.get_schema(name, max_inclusive_version=version, domain=domain)
    except onnx.defs.SchemaError:
        return False
    return not schema.deprecated
