"""Malformed and random nodes run or are refused; the sanitizers watch the same fuzzers in .ci/run."""

import subprocess
import sys
from pathlib import Path

from qonnx_tools.ops import op_table
from qonnx_tools.runtime import library_path

SCRIPT = Path(__file__).with_name("fuzz.py")
CASES = 250


def fuzz(*arguments):
    command = [sys.executable, str(SCRIPT), "--levels", "portable", "--cases", str(CASES), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_installed_library_does_not_crash():
    done = fuzz("--library", str(library_path()))
    assert (done.returncode, done.stderr) == (0, "")
    *ops, total = done.stdout.splitlines()
    assert total.startswith(f"{3 * CASES:,} nodes without sanitizers (portable): ")
    assert {line.split()[0] for line in ops} == {name for _, name in op_table()}
    assert sum(int(line.split()[1]) > 0 for line in ops) > 0.7 * len(ops)  # not everything is refused


def test_a_crash_is_told_with_the_command_that_repeats_it(tmp_path):
    (tmp_path / "library.so").write_text("no library")
    done = fuzz("--library", str(tmp_path / "library.so"))
    assert done.returncode == 1
    assert "case 0, " in done.stderr
    assert "--seed 0 --first 0 --cases 1" in done.stderr
