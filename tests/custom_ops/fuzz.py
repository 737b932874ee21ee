"""Fuzz the compiled library under AddressSanitizer and UBSan: every node, however malformed, runs or is refused.

    python tests/custom_ops/fuzz.py [--cases N] [--streams N] [--seed S] [--levels LEVEL ...] [--library FILE]

Builds the library with both sanitizers in a temporary folder, with `pip wheel`, and runs the fuzzers beside this file
in processes that preload the sanitizers: fuzz_codes.py (ops on codes), fuzz_nodes.py (quantizers on floats) and
fuzz_table.py (every op of the table, from its definition alone), N cases each at every SIMD level. Prints how many
nodes of each op ran and how many were refused with a status. Then a program built with the library decodes N damaged
streams of feature maps at every level; it prints how many ended with which status. The first crash, report of a
sanitizer or hang ends it with exit status 1 and, for nodes, the command that repeats the case.

--library fuzzes a library that is there, without sanitizers and without streams. Exit status 3: the compiler has no
sanitizers.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
FUZZERS = ("fuzz_codes", "fuzz_nodes", "fuzz_table")
LEVELS = ("portable", "v2", "v3", "v4", "amx")
RUNTIMES = ("libasan.so", "libubsan.so", "libstdc++.so.6")
"""Preloaded in this order; without the last, AddressSanitizer does not find the exceptions that it intercepts."""
ADDRESS_SANITIZER = "detect_leaks=0:allocator_may_return_null=1:max_allocation_size_mb=1024:malloc_context_size=0"
"""Without the stacks of allocations, which take most of the time."""
NO_SANITIZERS = 3
SECONDS_A_CASE, LEAST_SECONDS = 0.5, 60
TRIES = 3
"""On some virtual machines any program stalls now and then when AddressSanitizer is preloaded, `uptime` too."""
PROGRAM = "feature_map_streams"
"""Built from custom_ops/fuzz; decodes damaged streams."""
PROGRAM_SANITIZER = "detect_leaks=0:max_allocation_size_mb=256:malloc_context_size=0"
"""More memory than a map of the fuzzer could want ends the program."""
STREAMS_A_SECOND = 500
UNSUPPORTED = "does not run level"
"""What the library says of a SIMD level that the CPU lacks."""
ENDING = 6000
"""Characters of a report that are shown."""


def runtimes() -> list[str]:
    """The sanitizers' libraries; ends the program where the compiler has none."""
    compiler = os.environ.get("CXX", "g++")
    found = []
    for name in RUNTIMES:
        done = subprocess.run([compiler, f"-print-file-name={name}"], capture_output=True, text=True, check=True)
        path = Path(done.stdout.strip())
        if not path.is_absolute():
            sys.stderr.write(f"{compiler} has no {name}: nothing was fuzzed\n")
            raise SystemExit(NO_SANITIZERS)
        found.append(str(path))
    return found


def build(folder: Path, levels: Sequence[str]) -> tuple[Path, Path]:
    """Compile the library and the program with the sanitizers, for these levels at least, and return both."""
    settings = {
        "cmake.define.QONNX_TOOLS_SANITIZE": "address,undefined",
        "cmake.define.QONNX_TOOLS_FUZZ": "ON",
        "cmake.define.QONNX_TOOLS_FEWER_LEVELS": "OFF" if {"v2", "v3"} & set(levels) else "ON",
        "build-dir": str(folder / "build"),
    }
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder)]
    command += [f"--config-settings={key}={value}" for key, value in settings.items()]
    subprocess.run([*command, str(HERE.parent.parent)], check=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        (library,) = [name for name in archive.namelist() if name.endswith(".so")]
        (program,) = [name for name in archive.namelist() if name.endswith(PROGRAM)]
        found = Path(archive.extract(library, folder)), Path(archive.extract(program, folder))
    found[1].chmod(0o700)
    return found


def decode_streams(program: Path, level: str, options: argparse.Namespace, tries: int = TRIES) -> Counter[str]:
    """Run the program; return how many streams ended how, or end the program. Nothing where the CPU lacks the level."""
    command = [str(program), str(options.streams), str(options.seed)]
    environment = {**os.environ, "QONNX_TOOLS_SIMD": level, "ASAN_OPTIONS": PROGRAM_SANITIZER}
    limit = LEAST_SECONDS + options.streams / STREAMS_A_SECOND
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment, timeout=limit)
    except subprocess.TimeoutExpired:
        if tries > 1:
            return decode_streams(program, level, options, tries - 1)
        sys.stderr.write(f"streams at level {level}: no end in {limit:.0f} s: {' '.join(command)}\n")
        raise SystemExit(1) from None
    if done.returncode and UNSUPPORTED in done.stderr:
        return Counter()
    if done.returncode:
        sys.stderr.write(f"{done.stderr[-ENDING:]}\nstreams at level {level}: status {done.returncode}\n")
        raise SystemExit(1)
    endings = (line.rsplit(" ", 1) for line in done.stdout.splitlines())
    return Counter({name: int(number) for name, number in endings})


def fuzz(
    fuzzer: str, library: Path, environment: dict[str, str], options: argparse.Namespace, tries: int = TRIES
) -> Counter[str]:
    """Run one fuzzer; return how many nodes of each op ran and were refused, or end the program.

    Nothing is counted at a SIMD level that the CPU lacks.
    """
    command = [sys.executable, str(HERE / f"{fuzzer}.py"), str(library), "--seed", str(options.seed)]
    try:
        done = subprocess.run(
            [*command, "--cases", str(options.cases)],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
            timeout=LEAST_SECONDS + SECONDS_A_CASE * options.cases,
        )
        status, output, report = f"status {done.returncode}", done.stdout, done.stderr
        good = done.returncode == 0
    except subprocess.TimeoutExpired as error:
        if tries > 1:
            return fuzz(fuzzer, library, environment, options, tries - 1)
        status, good = "no end", False
        output, report = ((part or b"").decode() for part in (error.stdout, error.stderr))
    if not good and UNSUPPORTED in report:
        return Counter()
    cases = [line.split() for line in output.splitlines()]
    if not good or len(cases) != options.cases:
        number, op = (cases or [["0", "no node"]])[-1][:2]
        again = " ".join([*command, "--first", number, "--cases", "1"])
        named = {
            key: environment[key] for key in ("QONNX_TOOLS_SIMD", "LD_PRELOAD", "ASAN_OPTIONS") if key in environment
        }
        variables = " ".join(f'{key}="{value}"' for key, value in named.items())
        sys.stderr.write(f"{report[-ENDING:]}\ncase {number}, {op}: {status}; repeat with\n{variables} {again}\n")
        raise SystemExit(1)
    return Counter(f"{op} {outcome}" for _, op, outcome in cases)


def main(arguments: Sequence[str] | None = None) -> None:
    """Build, fuzz, print the counts."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--cases", type=int, default=1000, help="of each fuzzer at each level")
    parser.add_argument("--streams", type=int, default=100_000, help="damaged streams at each level")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--levels", nargs="+", choices=LEVELS, default=LEVELS)
    parser.add_argument("--library", type=Path, help="fuzz this one, without sanitizers")
    options = parser.parse_args(arguments)
    counts: Counter[str] = Counter()
    levels: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ}
        if options.library is None:
            environment |= {"LD_PRELOAD": " ".join(runtimes()), "ASAN_OPTIONS": ADDRESS_SANITIZER}
        library, program = (options.library, None) if options.library else build(Path(folder), options.levels)
        for level in options.levels:
            found = [fuzz(each, library, environment | {"QONNX_TOOLS_SIMD": level}, options) for each in FUZZERS]
            counts += sum(found, Counter())
            if any(found):
                levels.append(level)
            else:
                sys.stdout.write(f"level {level} is left out: this CPU does not run it\n")
        streams = sum((decode_streams(program, level, options) for level in options.levels if program), Counter())
    width = max(map(len, counts))
    for op in sorted({name.split()[0] for name in counts}):
        ran, refused = counts[f"{op} ran"], counts[f"{op} refused"]
        sys.stdout.write(f"{op:{width}} {ran:7,} ran {refused:7,} refused\n")
    ran, refused = (sum(n for name, n in counts.items() if name.endswith(end)) for end in (" ran", " refused"))
    sanitized = "without sanitizers" if options.library else "under AddressSanitizer and UBSan"
    sys.stdout.write(
        f"{ran + refused:,} nodes {sanitized} ({', '.join(levels)}): {ran:,} ran, {refused:,} refused, no crash\n"
    )
    if streams:
        endings = ", ".join(f"{number:,} {name}" for name, number in streams.items())
        sys.stdout.write(f"{streams.total():,} damaged streams {sanitized}: {endings}, no crash\n")


if __name__ == "__main__":
    main()
