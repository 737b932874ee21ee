"""Bad input ends in one line that says what, where and how to mend it, status 1, and no file."""

import json
import os
from pathlib import Path

import numpy as np
import onnx
import pytest

from qonnx_tools.graph import parse

HEAD = '<ir_version: 8, opset_import: ["" : 17]> '
RELU = "{ [relu] y = Relu (x) }"


def write(text: str, **values) -> None:
    onnx.save_model(parse(HEAD + text, **values), "bad.onnx")


def not_onnx():
    Path("bad.onnx").write_text("PK this is a text")


def truncated():
    Path("bad.onnx").write_bytes(Path("model.onnx").read_bytes()[:300])


def empty():
    Path("bad.onnx").touch()


def a_folder():
    Path("bad.onnx").mkdir()


def without_external_data():
    options = {"save_as_external_data": True, "location": "weights.bin", "size_threshold": 0}
    onnx.save_model(onnx.load("model.onnx"), "bad.onnx", **options)
    Path("weights.bin").unlink()


def unknown_op():
    model = onnx.load("model.onnx")
    model.graph.node[1].op_type = "Rellu"
    onnx.save_model(model, "bad.onnx")


def nan_weights():
    write(
        "g (float[N, 2] x) => (float[N, 2] y) <float[2, 2] w> { [mul] y = MatMul (x, w) }",
        w=np.float32([[1, np.nan]] * 2),
    )


def no_input():
    write("g () => (float[2] y) <float[2] x> " + RELU)


def two_inputs():
    write("g (float[N, 2] x, float[N, 2] z) => (float[N, 2] y) { [add] y = Add (x, z) }")


def bytes_input():
    write("g (uint8[N, 2] x) => (float[N, 2] y) { [cast] y = Cast <to = 1> (x) }")


def half_precision():
    write("g (float[N, 2] x) => (float16[N, 2] y) <float16[2, 2] w> "
          "{ h = Cast <to = 10> (x) [mul] y = MatMul (h, w) }", w=np.zeros((2, 2), np.float16))  # fmt: skip


def integer_quantized():
    write(
        "g (float[N, 2] x) => (uint8[N, 2] y) <float s, uint8 z> { [quantize] y = QuantizeLinear (x, s, z) }",
        s=np.float32(1), z=np.uint8(0),
    )  # fmt: skip


MODELS = {
    not_onnx: ("bad.onnx: not an ONNX file",),
    truncated: ("bad.onnx: truncated or damaged (300 bytes)",),
    empty: ("bad.onnx: the file is empty",),
    a_folder: ("bad.onnx: is a directory",),
    without_external_data: ("bad.onnx", "'weights.bin'", "is missing", "first_weight"),
    unknown_op: ("bad.onnx", "node 'relu'", "unknown op Rellu"),
    nan_weights: ("bad.onnx", "'w' has NaN values (2 of 4)"),
}
ONLY_TO_INSPECT = {
    no_input: ("bad.onnx", "0 inputs"),
    two_inputs: ("bad.onnx", "2 inputs"),
    bytes_input: ("bad.onnx", "input 'x'", "uint8", "float32"),
}
ONLY_TO_EVALUATE = {
    half_precision: ("bad.onnx", "tensor 'w' is float16", "export the model in float32"),
    integer_quantized: ("bad.onnx", "'x': its codes are the output 'y'", "put a DequantizeLinear behind them"),
}


@pytest.mark.parametrize("make", [*MODELS, *ONLY_TO_INSPECT, *ONLY_TO_EVALUATE])
def test_convert_refuses_the_model(qonnx, untouched, make):
    make()
    untouched()
    run = qonnx("convert", "bad.onnx", "out.onnx", "--save-plan", "plan.json")
    assert run.status == 1
    assert run.out == ""
    assert all(part in run.line for part in (MODELS | ONLY_TO_INSPECT | ONLY_TO_EVALUATE)[make]), run.line


@pytest.mark.parametrize("make", [*MODELS, *ONLY_TO_INSPECT])
def test_evaluate_refuses_the_model(qonnx, untouched, make):
    make()
    untouched()
    run = qonnx("evaluate", "bad.onnx", "--data", "data.npz", "--json")
    assert (run.status, run.out) == (1, "")
    assert all(part in run.line for part in (MODELS | ONLY_TO_INSPECT)[make] if part != "uint8"), run.line
    run = qonnx("evaluate", "model.onnx", "--data", "data.npz", "--against", "bad.onnx")
    assert run.status == 1
    assert "bad.onnx" in run.line


@pytest.mark.parametrize("make", MODELS)
def test_inspect_refuses_the_model(qonnx, untouched, make):
    make()
    untouched()
    run = qonnx("inspect", "bad.onnx", "--json")
    assert (run.status, run.out) == (1, "")
    assert all(part in run.line for part in MODELS[make]), run.line


@pytest.mark.parametrize("make", ONLY_TO_INSPECT)
def test_inspect_shows_what_cannot_be_converted(qonnx, untouched, make):
    make()
    untouched()
    assert qonnx("inspect", "bad.onnx").status == 0


@pytest.mark.parametrize("command", ["convert", "evaluate", "inspect"])
def test_missing_model(qonnx, untouched, command):
    untouched()
    more = {"convert": ["out.onnx"], "evaluate": ["--data", "data.npz"], "inspect": []}
    run = qonnx(command, "nowhere.onnx", *more[command])
    assert (run.status, run.line) == (1, "error: nowhere.onnx: no such file")


def test_converted_twice(qonnx, untouched):
    assert qonnx("convert", "model.onnx", "once.onnx").status == 0
    untouched()
    run = qonnx("convert", "once.onnx", "twice.onnx")
    assert run.status == 1
    assert "once.onnx: the model is quantized already" in run.line
    assert "convert the float model" in run.line


def wrong_size():
    np.savez("bad.npz", images=np.zeros((3, 3, 8, 8), np.float32), labels=np.zeros(3, int))


def integers():
    np.savez("bad.npz", images=np.zeros((3, 3, 6, 6), np.int32), labels=np.zeros(3, int))


def not_finite():
    np.savez("bad.npz", images=np.full((3, 3, 6, 6), np.inf, np.float32), labels=np.zeros(3, int))


def no_images():
    np.savez("bad.npz", images=np.zeros((0, 3, 6, 6), np.float32), labels=np.zeros(0, int))


def other_names():
    np.savez("bad.npz", x=np.zeros((3, 3, 6, 6), np.float32))


def damaged():
    Path("bad.npz").write_bytes(Path("data.npz").read_bytes()[:-200])


DATA = {
    wrong_size: ("bad.npz", "[N, 3, 8, 8]", "[N, 3, 6, 6]"),
    integers: ("bad.npz", "int32", "uint8"),
    not_finite: ("bad.npz", "NaN, infinite"),
    no_images: ("bad.npz", "empty"),
    other_names: ("bad.npz", "no array called 'images'", "x"),
    damaged: ("bad.npz",),
    lambda: None: ("bad.npz", "No such file"),
}


@pytest.mark.parametrize("make", DATA)
@pytest.mark.parametrize("command", [("convert", "model.onnx", "out.onnx"), ("evaluate", "model.onnx")])
def test_bad_data(qonnx, untouched, make, command):
    make()
    untouched()
    run = qonnx(*command, "--data", "bad.npz")
    assert (run.status, run.out) == (1, "")
    assert all(part in run.line for part in DATA[make]), run.line


def test_huge_images_name_the_tensor_that_overflows(qonnx, untouched):
    np.savez("bad.npz", images=np.full((3, 3, 6, 6), 3e38, np.float32))
    untouched()
    run = qonnx("convert", "model.onnx", "out.onnx", "--data", "bad.npz")
    assert run.status == 1
    assert "tensor 'b' is not finite on the calibration images; check their preprocessing" in run.line


def test_labels_are_missing(qonnx, untouched):
    untouched()
    run = qonnx("evaluate", "model.onnx", "--data", "unlabelled.npz")
    assert run.status == 1
    assert "unlabelled.npz" in run.line
    assert "no labels" in run.line
    assert "add 'labels'" in run.line


def test_labels_out_of_range(qonnx, untouched):
    for label in (4, -1):
        np.savez("bad.npz", images=np.zeros((3, 3, 6, 6), np.float32), labels=np.int64([0, label, 1]))
        untouched()
        run = qonnx("evaluate", "model.onnx", "--data", "bad.npz")
        assert run.status == 1
        assert f"label {label} is" in run.line


def test_labels_for_what_is_no_classifier(qonnx, untouched):
    write("g (float[N, 3, 6, 6] x) => (float[N, 3, 6, 6] y) " + RELU)
    untouched()
    run = qonnx("evaluate", "bad.onnx", "--data", "data.npz")
    assert run.status == 1
    assert "bad.onnx: output of shape [10, 3, 6, 6] is not [N, classes]; use --no-labels" in run.line
    assert qonnx("evaluate", "bad.onnx", "--data", "data.npz", "--no-labels", "--against", "bad.onnx").status == 0


def test_models_that_do_not_compare(qonnx, untouched):
    write("g (float[N, 3, 6, 6] x) => (float[N, 108] y) { y = Flatten (x) }")
    untouched()
    run = qonnx("evaluate", "model.onnx", "--data", "data.npz", "--against", "bad.onnx", "--no-labels")
    assert run.status == 1
    assert "bad.onnx: its output [10, 108] differs in shape from [10, 4]" in run.line
    write("g (float[N, 3, 7, 7] x) => (float[N, 147] y) { y = Flatten (x) }")
    untouched()
    run = qonnx("evaluate", "model.onnx", "--data", "data.npz", "--against", "bad.onnx", "--no-labels")
    assert run.status == 1
    assert "bad.onnx: onnxruntime fails on the images" in run.line


def test_image_size_unknown_without_data(qonnx, untouched):
    write("g (float[N, 3, H, W] x) => (float[N, 3, H, W] y) <float[3, 3, 1, 1] w> { [c] y = Conv (x, w) }")
    untouched()
    run = qonnx("convert", "bad.onnx", "out.onnx")
    assert run.status == 1
    assert "[N, 3, H, W]" in run.line
    assert "give data" in run.line


def plan_file(**changes):
    tensor = {"role": "activation", "format": {"kind": "fixed", "bits": 8, "frac": 4, "signed": True, "narrow": False}}
    document = {"version": 1, "scheme": "fixed", "batch_norm": "fold", "tensors": {"image": tensor}} | changes
    Path("plan.json").write_text(json.dumps(document))
    return tensor


def test_unknown_plan_tensor(qonnx, untouched):
    tensor = plan_file()
    plan_file(tensors={"first_wieght": tensor})
    untouched()
    run = qonnx("convert", "model.onnx", "out.onnx", "--plan", "plan.json")
    assert run.status == 1
    assert "plan tensor 'first_wieght' is not in the model; did you mean 'first_weight'?" in run.line


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"tensors": {"image": {"role": "activation", "format": {"kind": "fixed", "bits": 99, "frac": 0}}}},
         ("bits is 99", "0 to 32", "tensors['image']")),
        ({"tensors": {"image": {"role": "activation", "format": {"kind": "posit"}}}},
         ("'posit' is not known", "fixed")),
        ({"tensors": {"image": {"role": "activation", "format": {"kind": "fixed", "bits": 8, "frac": 0},
                                "rounding": "nearest"}}}, ("'nearest' is unknown", "half_even")),
        ({"version": 9}, ("version", "9")),
        ({"colour": "red"}, ("colour",)),
    ],
)  # fmt: skip
def test_bad_plan(qonnx, untouched, changes, parts):
    plan_file(**changes)
    untouched()
    run = qonnx("convert", "model.onnx", "out.onnx", "--plan", "plan.json")
    assert run.status == 1
    assert all(part in run.line for part in ("plan.json", *parts)), run.line


def test_plan_that_is_no_json_or_missing(qonnx, untouched):
    Path("plan.json").write_text("{")
    untouched()
    for name, part in (("plan.json", "line 1: not JSON"), ("model.onnx", "not UTF-8"), ("none.json", "No such file")):
        run = qonnx("convert", "model.onnx", "out.onnx", "--plan", name)
        assert run.status == 1
        assert name in run.line
        assert part in run.line


@pytest.mark.parametrize(
    "option",
    ["--scheme=log", "--weight-bits=4", "--rounding=floor", "--batch-norm=fold", "--layer=*:weight_bits=4"],
)
def test_plan_beside_format_options(qonnx, untouched, option):
    plan_file()
    untouched()
    run = qonnx("convert", "model.onnx", "out.onnx", "--plan", "plan.json", option)
    assert run.status == 1
    assert "a plan names every format already: edit it, or leave out" in run.line


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (["--weight-bits", 17], ("weight-bits is 17", "1..16")),
        (["--weight-bits", 0], ("weight-bits is 0", "1..16")),
        (["--activation-bits", -3], ("activation-bits is -3", "1..16")),
        (["--bias-bits", 33], ("bias-bits is 33", "2..32")),
        (["--scheme", "log", "--weight-bits", 9], ("bits is 9", "2 to 8")),
        (["--scheme", "lag"], ("scheme 'lag' is unknown", "fixed, log")),
        (["--scheme", "fixed", "--first-last", "fixed8"], ("first-last does not apply to scheme fixed",)),
        (["--rounding", "up"], ("rounding 'up' is unknown", "half_even")),
        (["--granularity", "pixel"], ("granularity is 'pixel'", "channel, layer")),
        (["--batch-norm", "drop"], ("batch-norm is 'drop'", "fold")),
        (["--layer", "nothing*:weight_bits=4"], ("'nothing*' matches no layer and no tensor",)),
        (["--layer", "first=4"], ("'first=4' is not PATTERN:option=value",)),
        (["--layer", "first:weight_bits=99"], ("weight-bits is 99",)),
        (["--preset", "imagnet"], ("imagnet", "imagenet")),
        (["--preset", "imagenet", "--preprocess", "p.toml"], ("--preset or --preprocess",)),
        (["--preprocess", "p.toml"], ("p.toml",)),
        (["--mean", "a,b"], ("--mean is 'a,b'", ".5,.4,.4")),
        (["--std", "0"], ("std",)),
        (["--layout", "NCWH"], ("NCWH", "NHWC")),
        (["--data", "no/such/place"], ("no/such/place", "no such file or folder")),
        (["--data", "module_of_nobody:f"], ("module_of_nobody", "cannot import")),
        (["--data", "json:no_such_function"], ("no function 'no_such_function'",)),
    ],
)  # fmt: skip
def test_bad_options(qonnx, untouched, options, parts):
    untouched()
    run = qonnx("convert", "model.onnx", "out.onnx", *options)
    assert (run.status, run.out) == (1, "")
    assert all(part in run.line for part in parts), run.line


@pytest.mark.parametrize(
    "arguments",
    [
        ["convert"],
        ["convert", "model.onnx"],
        ["convert", "model.onnx", "out.onnx", "--bits", "8"],
        ["convert", "model.onnx", "out.onnx", "--weight-bits", "eight"],
        ["convert", "model.onnx", "out.onnx", "--images", "0"],
        ["convert", "model.onnx", "out.onnx", "--resize", "0"],
        ["evaluate", "model.onnx"],
        ["evaluate", "model.onnx", "--data", "data.npz", "--limit", "0"],
        ["transform", "model.onnx"],
    ],
)
def test_usage(qonnx, untouched, arguments):
    untouched()
    run = qonnx(*arguments)
    assert (run.status, run.out) == (2, "")
    assert "Usage:" in run.err
    assert "Traceback" not in run.err


def is_a_folder():
    Path("bad").mkdir()
    return "bad", "'bad' is a folder; name a file in it"


def in_no_folder():
    return "no/out", "there is no folder 'no'; create it first"


def below_a_file():
    return "model.onnx/out", "'model.onnx/out' cannot be written: Not a directory"


def a_device():
    return "/dev/full", "'/dev/full' is not a regular file"


def no_name():
    return "", "is a folder"


def long_name():
    return "x" * 300, "cannot be written: File name too long"


def no_more_than_reading():
    if not os.path.ismount("/proc"):
        pytest.skip("there is no /proc, whose files nobody can create")
    return "/proc/out", "'/proc/out' cannot be written"


UNWRITABLE = [is_a_folder, in_no_folder, below_a_file, a_device, no_name, long_name, no_more_than_reading]


@pytest.mark.parametrize("make", UNWRITABLE)
@pytest.mark.parametrize("option", ["OUT", "--save-plan"])
def test_unwritable_output_is_found_before_anything_is_read(qonnx, untouched, monkeypatch, make, option):
    path, message = make()
    untouched()
    monkeypatch.setattr("qonnx_tools.conversion.convert", lambda *_, **__: pytest.fail("the work has begun"))
    arguments = [path] if option == "OUT" else ["out.onnx", "--save-plan", path]
    run = qonnx("convert", "model.onnx", *arguments, "--data", "data.npz")
    assert (run.status, run.out) == (1, "")
    assert run.line.startswith(f"error: {option} ")
    assert message in run.line


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["model.onnx"], "OUT and MODEL are the same file"),
        (["./model.onnx"], "OUT and MODEL are the same file"),
        (["out.onnx", "--save-plan", "out.onnx"], "--save-plan and OUT are the same file"),
        (["out.onnx", "--save-plan", "model.onnx"], "--save-plan and MODEL are the same file"),
        (["plan.json", "--plan", "plan.json"], "OUT and --plan are the same file"),
    ],
)
def test_no_input_is_overwritten(qonnx, untouched, arguments, message):
    plan_file()
    untouched()
    run = qonnx("convert", "model.onnx", *arguments)
    assert run.status == 1
    assert message in run.line


@pytest.mark.parametrize("method", ["write_bytes", "write_text"])
def test_a_disk_that_fills_up_leaves_neither_file(qonnx, untouched, monkeypatch, method):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    untouched()
    monkeypatch.setattr(Path, method, full)
    run = qonnx("convert", "model.onnx", "out.onnx", "--save-plan", "plan.json")
    assert run.status == 1
    assert "cannot be written: No space left on device" in run.line
    assert ("out.onnx" if method == "write_bytes" else "plan.json") in run.line
