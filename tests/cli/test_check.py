"""``qonnx check``: its exit status, and what it says."""

import json

import pytest


@pytest.mark.usefixtures("folder")
def test_exit_status(qonnx):
    assert qonnx("convert", "model.onnx", "native.onnx").status == 0
    clean = qonnx("check", "native.onnx", "--target", "native")
    assert (clean.status, clean.out, clean.err) == (0, "native: clean\n", "")
    warned = qonnx("check", "model.onnx", "--target", "native")
    assert (warned.status, warned.err) == (1, "")
    assert warned.out.startswith("warning first: Conv computes in float; ")
    wrong = qonnx("check", "model.onnx", "--target", "hls4ml")
    assert (wrong.status, wrong.err) == (2, "")
    assert "error pool: GlobalAveragePool is silently wrong: rows are taken for channels; " in wrong.out
    assert "[hls4ml-global-pool]" in wrong.out
    document = json.loads(qonnx("check", "model.onnx", "--target", "hls4ml", "--json").out)
    assert (document["target"], document["exit_status"]) == ("hls4ml", 2)
    assert document["errors"] == sum(item["severity"] == "error" for item in document["findings"]) > 0
    assert {"rule", "severity", "place", "what", "remedy"} == document["findings"][0].keys()


@pytest.mark.usefixtures("folder")
def test_notes_are_clean(qonnx):
    assert qonnx("convert", "model.onnx", "hls.onnx", "--target", "qonnx", "--for", "hls4ml").status == 0
    run = qonnx("check", "hls.onnx", "--target", "hls4ml")
    assert run.status == 0
    assert run.out.startswith("note image: the input type truncates it before the first Quant; ")
    assert run.out.endswith("hls4ml: 0 errors, 0 warnings, 1 note\n")


@pytest.mark.usefixtures("folder")
def test_what_cannot_be_checked(qonnx):
    run = qonnx("check", "missing.onnx", "--target", "ort")
    assert (run.status, run.line.startswith("error: missing.onnx: ")) == (3, True)
    run = qonnx("check", "model.onnx", "--target", "tpu")
    assert (run.status, run.line) == (3, "error: target 'tpu' is unknown; choose one of ort, hls4ml, finn, qdq, native")
