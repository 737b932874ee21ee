import numpy as np
import pytest

from qonnx_tools.passes.div_to_mul import DivToMul

TEXT = "g (float[N, 3, 2, 2] x) => (float[N, 3, 2, 2] y) <float[1, 3, 1, 1] c> {{ {body} }}"


def test_powers_of_two_stay_exact(try_pass):
    divisor = np.float32([2, 0.25, -8]).reshape(1, 3, 1, 1)
    tried = try_pass(DivToMul(), TEXT.format(body="[d] y = Div (x, c)"), c=divisor)
    assert tried.fired == ["d"]
    assert tried.ops == ["Mul"]
    np.testing.assert_array_equal(tried.value("c"), 1 / divisor)


def test_any_divisor(try_pass):
    divisor = np.float32([0.229, 3, 1e-30]).reshape(1, 3, 1, 1)
    tried = try_pass(DivToMul(), TEXT.format(body="[d] y = Div (x, c)"), tolerance=1e-6, c=divisor)
    np.testing.assert_array_equal(tried.value("c"), (1 / divisor.astype(np.float64)).astype(np.float32))


def test_a_shared_divisor_is_copied(try_pass):
    body = "[d] a = Div (x, c) [k] b = Mul (x, c) [s] y = Add (a, b)"
    divisor = np.float32([2, 0.25, -8]).reshape(1, 3, 1, 1)
    tried = try_pass(DivToMul(), TEXT.format(body=body), c=divisor)
    np.testing.assert_array_equal(tried.node("k").inputs[1].values, divisor)


@pytest.mark.parametrize(
    ("body", "values", "reason"),
    [
        ("v = Exp (x) [d] y = Div (x, v)", [1, 1, 1], "its divisor 'v' is computed"),
        ("v = Exp (x) [d] y = Div (c, v)", [1, 1, 1], "its divisor 'v' is computed"),
        ("[d] a = Div (x, c) y = Atan (a)", [1, 0, 1], "an entry of its divisor 'c' has no finite reciprocal"),
        ("[d] a = Div (x, c) y = Atan (a)", [1, 1e-40, 1], "an entry of its divisor 'c' has no finite reciprocal"),
    ],
)
def test_declines(try_pass, body, values, reason):
    text = TEXT.format(body=body)
    tried = try_pass(DivToMul(), text, c=np.float32(values).reshape(1, 3, 1, 1))
    assert (tried.fired, tried.reasons) == ([], {"d": reason})


def test_integers_are_left_alone(try_pass):
    text = "g (int64[N] x) => (int64[N] y) <int64[1] c> { [d] y = Div (x, c) }"
    assert try_pass(DivToMul(), text, c=np.array([3])).outcomes == ()
