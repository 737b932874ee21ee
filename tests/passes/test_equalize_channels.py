import numpy as np
import pytest

from qonnx_tools.passes.equalize_channels import EqualizeChannels

RANDOM = np.random.default_rng(41)


def spread(*shape, axis=0):
    """Weights whose channels along ``axis`` lie up to 2^8 apart."""
    size = [1] * len(shape)
    size[axis] = shape[axis]
    return (RANDOM.normal(size=shape) * np.exp2(RANDOM.integers(-4, 5, size=size))).astype(np.float32)


def octaves_apart(made, read):
    made, read = np.abs(made).reshape(len(made), -1).max(axis=1), np.abs(read).max(axis=(0, 2, 3))
    return np.abs(np.log2(read / made))


@pytest.mark.parametrize(
    "between",
    [
        "b = Relu (a)",
        "b = LeakyRelu <alpha = 0.1> (a)",
        "b = PRelu (a, slope)",
        "r = Relu (a) b = MaxPool <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (r)",
        "b = AveragePool <kernel_shape = [3, 3], pads = [1, 1, 1, 1]> (a)",
    ],
)
def test_makers_and_readers_become_alike_and_the_numbers_stay(try_pass, between):
    text = f"""
    g (float[N, 3, 6, 6] x) => (float[N, 5, 6, 6] y)
    <float[8, 3, 3, 3] w, float[8] bias, float[5, 8, 1, 1] v, float[5] c, float[8, 1, 1] slope>
    {{ [one] a = Conv <pads = [1, 1, 1, 1]> (x, w, bias) {between} [two] y = Conv (b, v, c) }}
    """
    values = {"w": spread(8, 3, 3, 3), "v": spread(5, 8, 1, 1, axis=1)}
    assert octaves_apart(values["w"], values["v"]).max() > 2
    tried = try_pass(EqualizeChannels(), text, **values)
    assert tried.fired == ["one"]
    assert tried.reasons == {"two": "its channels reach a graph output"}
    assert octaves_apart(tried.value("w"), tried.value("v")).max() <= 1


def test_directly_through_depthwise_and_grouped(try_pass):
    text = """
    g (float[N, 3, 5, 5] x) => (float[N, 6, 5, 5] y)
    <float[8, 3, 1, 1] w, float[8, 1, 3, 3] d, float[8] b, float[6, 4, 1, 1] v>
    {
        [one] a = Conv (x, w)
        [two] c = Conv <group = 8, pads = [1, 1, 1, 1]> (a, d, b)
        [three] y = Conv <group = 2> (c, v)
    }
    """
    values = {"w": spread(8, 3, 1, 1), "d": spread(8, 1, 3, 3), "v": spread(6, 4, 1, 1, axis=1)}
    tried = try_pass(EqualizeChannels(), text, **values)
    assert set(tried.fired) == {"one", "two"}
    made, through = tried.value("w"), tried.value("d")
    assert octaves_apart(made, through.reshape(1, 8, 3, 3)).max() <= 1
    read = np.concatenate([tried.value("v")[:3], tried.value("v")[3:]], axis=1)  # [3, 8, 1, 1]: of the channels
    assert octaves_apart(through, read).max() <= 1


def test_several_convolutions_may_read_and_shared_weights_are_copied(try_pass):
    text = """
    g (float[N, 4, 4, 4] x) => (float[N, 4, 4, 4] y, float[N, 4, 4, 4] z)
    <float[4, 4, 1, 1] w, float[4, 4, 1, 1] v>
    { [one] a = Conv (x, w) [two] y = Conv (a, v) [three] z = Conv (a, w) }
    """
    tried = try_pass(EqualizeChannels(), text, w=spread(4, 4, 1, 1), v=spread(4, 4, 1, 1, axis=1) / 256)
    assert tried.fired == ["one"]
    assert tried.node("one").inputs[1].name != tried.node("three").inputs[1].name


def test_channels_without_weights_or_beyond_the_range_stay(try_pass):
    text = """
    g (float[N, 2, 4, 4] x) => (float[N, 1, 4, 4] y) <float[4, 2, 1, 1] w, float[4] b, float[1, 4, 1, 1] v>
    { [one] a = Conv (x, w, b) [two] y = Conv (a, v) }
    """
    w = np.array([[1, 1], [0, 0], [1, 1], [1, 1]], np.float32).reshape(4, 2, 1, 1)
    v = np.array([1024, 1024, 1024, 2.0**-70], np.float32).reshape(1, 4, 1, 1)
    tried = try_pass(EqualizeChannels(), text, w=w, v=v, b=np.array([1, 1, 1e-20, 1], np.float32))
    np.testing.assert_array_equal(tried.value("w")[:, 0, 0, 0], [32, 0, 1, 1])
    np.testing.assert_array_equal(tried.value("b"), np.array([32, 1, 1e-20, 1], np.float32))
    np.testing.assert_array_equal(tried.value("v")[0, :, 0, 0], np.array([32, 1024, 1024, 2.0**-70], np.float32))
    (outcome,) = [each for each in tried.outcomes if each.node == "one"]
    assert outcome.what == "1 of 4 channels times 2^0 to 2^5"


def test_like_channels_are_left(try_pass):
    text = """
    g (float[N, 2, 4, 4] x) => (float[N, 2, 4, 4] y) <float[2, 2, 1, 1] w>
    { [one] a = Conv (x, w) [two] y = Conv (a, w) }
    """
    tried = try_pass(EqualizeChannels(), text, w=np.ones((2, 2, 1, 1), np.float32))
    assert tried.fired == []
    assert "one" not in tried.reasons


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("a = Conv (x, w) b = Clip (a, low, high) y = Conv (b, v)", "Clip '' reads its channels"),
        ("a = Conv (x, w) b = Sigmoid (a) y = Conv (b, v)", "Sigmoid '' reads its channels"),
        ("a = Conv (x, w) s = Conv (a, v) y = Add (a, s)", "reads its channels"),
        (
            "a = Conv (x, w) r = Relu (a) m = LeakyRelu (a) s = Conv (r, v) t = Conv (m, v) y = Add (s, t)",
            "several ways",
        ),
        ("k = Abs (w) a = Conv (x, k) y = Conv (a, v)", "its weights or its bias are not constant"),
        ("k = Abs (v) a = Conv (x, w) [two] y = Conv (a, k)", "bias of Conv 'two' behind it are not constant"),
        ("k = Abs (s) a = Conv (x, w) b = PRelu (a, k) y = Conv (b, v)", "PRelu '' reads its channels"),
    ],
)
def test_declines(try_pass, body, reason):
    text = f"""
    g (float[N, 4, 4, 4] x) => (float[N, 4, 4, 4] y)
    <float[4, 4, 1, 1] w, float[4, 4, 1, 1] v, float[4, 1, 1] s, float low = {{0}}, float high = {{6}}>
    {{ {body.replace("a = Conv", "[one] a = Conv")} }}
    """
    tried = try_pass(EqualizeChannels(), text, w=spread(4, 4, 1, 1), v=spread(4, 4, 1, 1, axis=1) / 256)
    assert "one" not in tried.fired
    assert (
        reason.replace("''", "'") in tried.reasons["one"].replace("''", "'")
        or reason.split("'")[0] in tried.reasons["one"]
    )
