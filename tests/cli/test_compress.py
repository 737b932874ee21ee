"""One feature map compressed and decompressed: the bytes of the Python interface, and one line for bad input."""

import json
from pathlib import Path

import numpy as np
import pytest

from qonnx_tools.arithmetic.bitstream import Coding
from qonnx_tools.arithmetic.fixed_point import FixedPoint
from qonnx_tools.feature_map_codec import compress, decompress

CODES = np.clip(np.random.default_rng(5).normal(0, 20, (6, 12, 11)), 0, 255).astype(np.uint8)


@pytest.fixture
def tensor(folder):
    np.save("map.npy", CODES)
    return folder


@pytest.mark.usefixtures("tensor")
@pytest.mark.parametrize(
    ("options", "coding"),
    [
        ((), Coding()),
        (("--coder", "rice"), Coding("predictive", "rice")),
        (("--wavelet", "haar"), Coding("haar", "context", 2)),
        (("--wavelet", "wavelet53", "--levels", 3, "--step", 4.5), Coding("wavelet53", "context", 3, 4.5)),
        (("--wavelet", "none", "--coder", "sparse-golomb"), Coding("none", "sparse-golomb")),
    ],
)
def test_there_and_back(qonnx, options, coding):
    run = qonnx("compress", "map.npy", "map.qf", *options, "--json")
    assert (run.status, run.err) == (0, "")
    stream = Path("map.qf").read_bytes()
    assert stream == compress(CODES, coding)
    assert json.loads(run.out) == {
        "bytes": len(stream),
        "values": CODES.size,
        "ratio_vs_32bit": 4 * CODES.size / len(stream),
        "ratio_vs_own_width": CODES.size / len(stream),
        "bits_per_value": 8 * len(stream) / CODES.size,
    }
    run = qonnx("decompress", "map.qf", "back.npy", "--json")
    assert (run.status, run.err, json.loads(run.out)) == (0, "", {"shape": [6, 12, 11], "type": "uint8"})
    back = np.load("back.npy")
    assert back.dtype == np.uint8
    np.testing.assert_array_equal(back, decompress(stream))
    if coding.step == 1:
        np.testing.assert_array_equal(back, CODES)


def test_own_width(qonnx, tensor):
    np.save("map.npy", (CODES // 32).astype(np.int32)[None])
    run = qonnx("compress", "map.npy", "map.qf", "--bits", 4, "--json")
    assert run.status == 0
    document = json.loads(run.out)
    assert document["ratio_vs_32bit"] == pytest.approx(8 * document["ratio_vs_own_width"])
    expected = compress((CODES // 32).astype(np.int32), Coding(), FixedPoint(4, 0))
    assert (tensor / "map.qf").read_bytes() == expected


def test_text(qonnx, tensor):
    run = qonnx("compress", "map.npy", "map.qf")
    size = (tensor / "map.qf").stat().st_size
    assert run.out.startswith(f"wrote map.qf: {CODES.size} values in {size} bytes, {8 * size / CODES.size:.3f} bits a")
    assert qonnx("decompress", "map.qf", "back.npy").out == "wrote back.npy: uint8 [6, 12, 11]\n"
    assert sorted(path.name for path in tensor.iterdir() if path.name.startswith(".")) == []


def save(name, array):
    np.save(name, array)


def damaged_stream():
    stream = bytearray(compress(CODES, Coding()))
    stream[40] ^= 1
    Path("bad.qf").write_bytes(stream)


@pytest.mark.parametrize(
    ("prepare", "arguments", "line"),
    [
        (lambda: None, ("compress", "none.npy", "o"), "'none.npy' cannot be read: No such file or directory; name"),
        (lambda: Path("b.npy").write_text("text"), ("compress", "b.npy", "o"), "'b.npy' is no .npy file of numbers"),
        (lambda: Path("b.npy").touch(), ("compress", "b.npy", "o"), "'b.npy' is no .npy file of numbers"),
        (lambda: np.savez("b.npz", CODES), ("compress", "b.npz", "o"), "'b.npz' holds several tensors"),
        (lambda: save("b.npy", CODES[0]), ("compress", "b.npy", "o"), "'b.npy' holds uint8 [12, 11]; a feature map"),
        (lambda: save("b.npy", CODES / 2), ("compress", "b.npy", "o"), "'b.npy' holds float64 [6, 12, 11]"),
        (lambda: save("b.npy", CODES.astype(np.int64)), ("compress", "b.npy", "o"), "the elements of a feature map"),
        (lambda: None, ("compress", "map.npy", "map.npy"), "OUT and TENSOR.npy are the same file"),
        (lambda: None, ("compress", "map.npy", "no/o"), "OUT 'no/o' cannot be written"),
        (lambda: None, ("compress", "map.npy", "o", "--wavelet", "db2"), "--wavelet 'db2' is unknown; choose one of"),
        (lambda: None, ("compress", "map.npy", "o", "--coder", "zip"), "--coder 'zip' is unknown; choose one of"),
        (lambda: None, ("compress", "map.npy", "o", "--levels", 2), "--levels is for wavelets; --wavelet predictive"),
        (lambda: None, ("compress", "map.npy", "o", "--step", 1.01), "step is 1.01; it must be a multiple of 1/16"),
        (lambda: None, ("compress", "map.npy", "o", "--bits", 4), "the feature map has codes in 0.."),
        (lambda: None, ("compress", "map.npy", "o", "--bits", 9), "uint8 does not hold the codes of a format of 9"),
        (lambda: None, ("decompress", "none.qf", "o"), "'none.qf' cannot be read: No such file or directory"),
        (lambda: None, ("decompress", "map.npy", "o"), "'map.npy': this is no compressed feature map"),
        (
            damaged_stream,
            ("decompress", "bad.qf", "o"),
            "'bad.qf': the checksum does not fit the stream; it is",
        ),
    ],
)
def test_bad_input_is_one_line_and_no_file(qonnx, tensor, untouched, prepare, arguments, line):
    prepare()
    untouched()
    run = qonnx(*arguments)
    assert run.status == 1
    assert line in run.line.removeprefix("error: ")
    assert run.line.startswith("error: ")
    assert (tensor / "map.npy").exists()
