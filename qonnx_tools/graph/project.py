"""What the op table of qonnx-tools says about the nodes of a model."""

from collections.abc import Iterable

import onnx

from qonnx_tools import ops

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
    """Return the function bodies of the project ops among ``used``, sorted by domain and name."""
    table = ops.op_table()
    return list(ops.function_bodies(sorted(op for op in set(used) if op in table), opset))


def stand_in(node: onnx.NodeProto) -> list[onnx.NodeProto]:
    """Return standard nodes with the type and shape of the project op ``node``."""
    return ops.op_table()[plain_domain(node.domain), node.op_type].stand_in(node)


def has_schema(domain: str | None, name: str, version: int) -> bool:
    """Tell whether onnx or the op table defines ``domain::name`` at this opset version."""
    domain = plain_domain(domain)
    if is_project_op(domain, name):
        return True
    try:
        schema = onnx.defs.get_schema(name, max_inclusive_version=version, domain=domain)
    except onnx.defs.SchemaError:
        return False
    return not schema.deprecated
