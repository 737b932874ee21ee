import numpy as np

from qonnx_tools.passes.remove_identity import RemoveIdentity


def test_inside_and_at_the_end(try_pass):
    tried = try_pass(
        RemoveIdentity(),
        """
        g (float[N] x) => (float[N] y, float[N] z)
        {
            [i0] a = Identity (x)
            b = Relu (a)
            [i1] c = Identity (b)
            [i2] y = Identity (c)
            d = Neg (c)
            e = Exp (b)
            z = Add (d, e)
        }
        """,
    )
    assert tried.fired == ["i0", "i1", "i2"]
    assert tried.ops == ["Relu", "Neg", "Exp", "Add"]
    assert [tensor.name for tensor in tried.model.graph.nodes[0].outputs] == ["y"]
    assert sorted(node.name for node in tried.model.graph.outputs[0].outputs) == ["Exp_5", "Neg_4"]


def test_dropout(try_pass):
    tried = try_pass(
        RemoveIdentity(),
        """
        g (float[N] x) => (float[N] y) <float ratio = {0.3}, bool off = {0}>
        {
            [plain] a = Dropout (x)
            b = Relu (a)
            [stated] c, unread = Dropout (b, ratio, off)
            d = Neg (c)
            [last] y = Dropout (d, , off)
        }
        """,
    )
    assert tried.fired == ["plain", "stated", "last"]
    assert tried.ops == ["Relu", "Neg"]


def test_declines_training_and_masks(try_pass):
    tried = try_pass(
        RemoveIdentity(),
        """
        g (float[N] x, bool train) => (float[N] y, bool[N] kept)
        <float none, bool on = {1}>
        {
            [always] a = Dropout (x, none, on)
            b = Relu (a)
            [unknown] c = Dropout (b, none, train)
            d = Relu (c)
            [masked] y, kept = Dropout (d)
        }
        """,
        none=np.array(0, np.float32),
    )
    assert tried.reasons == {
        "always": "it is in training mode",
        "unknown": "whether it is in training mode is not constant",
        "masked": "its mask is read",
    }


def test_declines_what_joins_the_ends(try_pass):
    tried = try_pass(
        RemoveIdentity(),
        """
        g (float[N] x) => (float[N] y, float[N] a, float[N] b, float[2] c) <float[2] w>
        { [through] y = Identity (x) a = Relu (x) [twin] b = Identity (a) [stored] c = Identity (w) }
        """,
    )
    assert tried.reasons == {
        "through": "joins graph output 'y' to 'x', which no node computes",
        "twin": "joins two graph outputs, 'a' and 'b'",
        "stored": "joins graph output 'c' to 'w', which no node computes",
    }
