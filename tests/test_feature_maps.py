"""Which activations are kept at the same time."""

from qonnx_tools.feature_maps import kept, kept_maps
from qonnx_tools.graph import from_proto, parse

TEXT = """
    <ir_version: 8, opset_import: ["" : 17]>
    g (float[N, 4, 6, 6] x) => (float[N, 4, 6, 6] y) <float[4, 4, 1, 1] w, float[4, 4, 1, 1] v>
    { a = Conv (x, w) b = Relu (a) c = Conv (b, v) d = Add (c, x) e = Conv (d, w) y = Relu (e) }
"""


def test_a_map_is_kept_until_its_last_reader_is_done():
    found = kept_maps(from_proto(parse(TEXT)).graph, lambda tensor: tensor.name if tensor.name in "xbd" else None)
    assert found == (frozenset("xb"), frozenset("xbd"), frozenset("d"))


def test_steps():
    assert kept([]) == ()
    assert kept([(set(), {"a"}), ({"a"}, {"b"}), ({"b"}, {"c"}), ({"a", "c"}, set())]) == (
        frozenset("a"), frozenset("ab"), frozenset("abc"), frozenset("ac"),
    )  # fmt: skip
