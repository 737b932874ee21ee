"""Whatever stops a run: Ctrl-C, a closed pipe, a full disk, a defect. Never a traceback unless --debug asks for one."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from qonnx_tools.cli import ending

from .conftest import COMMAND

LOADER = """
import os, signal, sys, time
import numpy as np

def blocks():
    print("loader: ready", file=sys.stderr, flush=True)
    time.sleep(60)
    return np.zeros((4, 3, 6, 6), np.float32)

def blocks_in_between():
    for _ in range(2):
        yield np.zeros((4, 3, 6, 6), np.float32)

    print("loader: ready", file=sys.stderr, flush=True)
    time.sleep(60)

def interrupts():
    raise KeyboardInterrupt

def interrupts_while_importing():
    os.kill(os.getpid(), signal.SIGINT)
    try:
        time.sleep(5)
    except KeyboardInterrupt:
        raise ImportError("of something else") from None

def fails():
    raise ZeroDivisionError("mine\\nand more")

def exhausts():
    raise MemoryError
"""
STOPPED = "interrupted: stopped by Ctrl-C; no unfinished file is left"


@pytest.fixture(autouse=True)
def loader(folder):
    (folder / "loader_of_endings.py").write_text(LOADER)
    yield
    sys.modules.pop("loader_of_endings", None)


@pytest.mark.parametrize("function", ["blocks", "blocks_in_between"])
@pytest.mark.parametrize("command", [("convert", "model.onnx", "out.onnx", "--save-plan", "p.json"),
                                     ("evaluate", "model.onnx", "--no-labels")])  # fmt: skip
def test_interrupt_of_a_process(untouched, function, command):
    untouched()
    environment = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    arguments = [*COMMAND, *command, "--data", f"loader_of_endings:{function}"]
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as run:
        assert run.stderr.readline() == "loader: ready\n"
        run.send_signal(signal.SIGINT)
        assert run.wait(timeout=10) == 1
        assert run.stderr.read() == f"{STOPPED}\n"
        assert run.stdout.read() == ""


@pytest.mark.parametrize("delay", [0.1, 0.2, 0.3, 0.45, 0.6])
def test_interrupt_at_any_moment(folder, delay):
    """While Python itself starts, before the command has begun, an interrupt shows Python's own traceback."""
    ready = "import sys; from qonnx_tools.cli import main; print('go', flush=True); sys.exit(main())"
    arguments = [sys.executable, "-P", "-c", ready, "convert", "model.onnx", "out.onnx"]
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout.readline() == "go\n"
        time.sleep(delay)
        run.send_signal(signal.SIGINT)
        status, err = run.wait(timeout=10), run.stderr.read()
    if status in (0, -signal.SIGINT):  # it was done, or Python was already ending
        assert err == ""
    else:
        assert (status, err) == (1, f"{STOPPED}\n")
        assert not [path.name for path in folder.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("function", ["interrupts", "interrupts_while_importing"])
def test_interrupt_in_this_process(qonnx, untouched, function):
    untouched()
    run = qonnx("convert", "model.onnx", "out.onnx", "--data", f"loader_of_endings:{function}")
    assert (run.status, run.line, run.out) == (1, STOPPED, "")


def test_interrupt_while_writing_leaves_no_part(qonnx, untouched, monkeypatch):
    def interrupted(path, _):
        path.touch()
        raise KeyboardInterrupt

    untouched()
    monkeypatch.setattr(Path, "write_bytes", interrupted)
    run = qonnx("convert", "model.onnx", "out.onnx", "--save-plan", "plan.json")
    assert (run.status, run.line) == (1, STOPPED)


def test_ignored_interrupts_stay_ignored(qonnx):
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    qonnx("--version")
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_a_destructor_that_is_interrupted_says_nothing(qonnx, monkeypatch):
    seen = []
    monkeypatch.setattr(sys, "unraisablehook", seen.append)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    qonnx("--version")
    happened = [type("Happened", (), {"exc_value": value}) for value in (KeyboardInterrupt(), ValueError())]
    for item in happened:
        sys.unraisablehook(item)
    assert seen == happened[1:]


def test_a_loader_that_fails_is_named_with_its_place(qonnx, untouched):
    untouched()
    run = qonnx("convert", "model.onnx", "out.onnx", "--data", "loader_of_endings:fails")
    assert run.status == 1
    assert run.line == (
        "error: loader_of_endings:fails: the loader raised ZeroDivisionError: mine and more "
        f"(loader_of_endings.py, line {line_of_fails()})"
    )


def test_a_defect_says_where_and_how_to_report_it(qonnx, untouched, monkeypatch):
    def defective(*_):
        raise ZeroDivisionError("ours\nand more")

    untouched()
    monkeypatch.setattr("qonnx_tools.preparation.layers", defective)
    run = qonnx("convert", "model.onnx", "out.onnx")
    line = defective.__code__.co_firstlineno + 1
    assert run.status == 1
    assert run.line == (
        f"internal error: ZeroDivisionError: ours and more (test_endings.py, line {line}); "
        "run again with `qonnx --debug` and report it"
    )


def line_of_fails() -> int:
    return next(number for number, line in enumerate(LOADER.splitlines(), 1) if "ZeroDivisionError" in line)


def test_out_of_memory(qonnx, untouched):
    untouched()
    run = qonnx("convert", "model.onnx", "out.onnx", "--data", "loader_of_endings:exhausts")
    assert (run.status, run.line) == (1, "error: out of memory; use a smaller model or fewer images")


@pytest.mark.parametrize(
    "wrong",
    [["inspect", "nowhere.onnx"], ["convert", "model.onnx", "out.onnx", "--data", "loader_of_endings:fails"]],
)
def test_debug_shows_the_traceback(process, untouched, wrong):
    untouched()
    run = process("--debug", *wrong, env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"})
    assert run.status == 1
    assert "Traceback (most recent call last)" in run.err
    plain = process(*wrong, env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"})
    assert (plain.status, plain.err.count("\n")) == (1, 1)
    assert "Traceback" not in plain.err


def test_debug_does_not_stay(qonnx):
    with pytest.raises(Exception, match="no such file"):
        qonnx("--debug", "inspect", "nowhere.onnx")
    assert qonnx("inspect", "nowhere.onnx").line == "error: nowhere.onnx: no such file"


SHOWING = pytest.mark.parametrize(
    "arguments", [("inspect", "model.onnx"), ("inspect", "model.onnx", "--json"), ("--version",)]
)
BUFFERED = pytest.mark.parametrize("unbuffered", ["", "1"])


def written_to(output, arguments, unbuffered) -> tuple[int, str]:
    environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    command = [*COMMAND, *arguments]
    run = subprocess.run(
        command, stdout=output, stderr=subprocess.PIPE, text=True, check=False, env=environment, timeout=60
    )
    return run.returncode, run.stderr


@SHOWING
@BUFFERED
def test_a_reader_that_goes_away(arguments, unbuffered):
    """Like ``qonnx inspect m | head -1``, with a reader that is gone from the start."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as nobody:
        assert written_to(nobody, arguments, unbuffered) == (1, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@SHOWING
@BUFFERED
def test_standard_output_on_a_full_disk(arguments, unbuffered):
    line = "error: standard output cannot be written: No space left on device; send it elsewhere\n"
    with Path("/dev/full").open("w") as full:
        assert written_to(full, arguments, unbuffered) == (1, line)


def test_import_of_the_command_loads_nothing_slow():
    """So that Ctrl-C during the slow imports already meets main()."""
    code = "import sys, qonnx_tools.cli; print([n for n in ('typer', 'numpy', 'onnx', 'rich') if n in sys.modules])"
    run = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout == "[]\n"


def test_lines_are_single():
    assert ending.line_of(ValueError("a\n  b")).startswith("internal error: ValueError: a b; run again")
