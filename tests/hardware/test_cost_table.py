"""The table of costs: each element measured once, by its parameters; a file that the search reads."""

import hashlib
import json
import re
import stat
import sys

import pytest
from elements import ELEMENTS, HARDWARE, run

from qonnx_tools.accelerator import load_accelerator
from qonnx_tools.cost import LayerWork
from qonnx_tools.errors import ConfigError
from qonnx_tools.hardware.cost_table import Request, measure, to_toml
from qonnx_tools.hardware.macs import KINDS, SOURCES, Mac
from qonnx_tools.hardware.shipped import cost_tables
from qonnx_tools.hardware.yosys import Yosys, sources_digest

STAND_IN = f"""#!{sys.executable}
import pathlib, re, sys
if "--version" in sys.argv:
    print("Yosys 9.99 (stand-in)")
    sys.exit()
script = pathlib.Path("script.ys").read_text()
if pathlib.Path(__file__).with_name("broken").exists():
    sys.exit("ERROR: out of patience")
given = dict(re.findall(r"-set (\\w+) (\\d+)", script))
pathlib.Path(__file__).with_name("calls").open("a").write(script.split("-top ")[1].split()[0] + "\\n")
count = 100 * int(given["W_BITS"]) + int(given["X_BITS"]) + 1000 * ("abc -lut 4" in script)
pathlib.Path("report.json").write_text('{{"design": {{"num_cells_by_type": {{"$lut": %d}}}}}}' % count)
"""
REQUEST = Request(6, (3, 4), (4, 5), 16, ("multiplier", "shifter_sqrt2"))


@pytest.fixture
def yosys(tmp_path):
    """A program in the place of Yosys that counts LUTs from the widths, and notes its calls."""
    program = tmp_path / "bin/yosys"
    program.parent.mkdir()
    program.write_text(STAND_IN)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return Yosys(str(program))


def calls(tmp_path):
    path = tmp_path / "bin/calls"
    return path.read_text().split() if path.exists() else []


def test_each_element_is_measured_once(tmp_path, yosys):
    journal, steps = tmp_path / "journal.jsonl", []
    first = measure(REQUEST, journal, yosys, lambda *step: steps.append(step))
    assert first.luts[Mac("multiplier", 3, 5, 16)] == 305
    assert (first.new, len(calls(tmp_path)), steps[-1]) == (8, 8, (8, 8))
    again = measure(REQUEST, journal, yosys)
    assert (again.luts, again.new, len(calls(tmp_path))) == (first.luts, 0, 8)
    more = measure(Request(6, (3, 5), (4, 5), 16, ("multiplier", "shifter_sqrt2")), journal, yosys)
    assert (more.new, len(calls(tmp_path))) == (4, 12)


def test_what_was_stopped_goes_on(tmp_path, yosys):
    journal = tmp_path / "journal.jsonl"

    def stop(done, _):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure(REQUEST, journal, yosys, stop)
    journal.write_text(journal.read_text() + '{"yosys": "Yos')  # cut off in the middle of a line
    found = measure(REQUEST, journal, yosys)
    assert (found.new, len(calls(tmp_path))) == (5, 8)
    assert measure(REQUEST, journal, yosys).new == 0


def test_what_others_measured_is_measured_anew(tmp_path, yosys):
    journal = tmp_path / "journal.jsonl"
    measure(REQUEST, journal, yosys)
    entries = [json.loads(line) for line in journal.read_text().splitlines()]
    entries[0]["sources"], entries[1]["yosys"] = "0" * 64, "Yosys 0.1"
    journal.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    assert measure(REQUEST, journal, yosys).new == 2
    other = measure(Request(4, (3, 3), (4, 4), 16, ("multiplier",)), journal, yosys)
    assert (other.new, list(other.luts.values())) == (1, [1304])


def test_a_failing_yosys_is_one_line(tmp_path, yosys):
    (tmp_path / "bin/broken").touch()
    with pytest.raises(ConfigError, match="yosys fails: ERROR: out of patience"):
        measure(REQUEST, tmp_path / "journal.jsonl", yosys)
    assert not (tmp_path / "journal.jsonl").exists()


def test_the_file_is_an_accelerators(tmp_path, yosys):
    measured = measure(Request(6, (3, 4), (4, 5), 16), tmp_path / "journal.jsonl", yosys)
    path = tmp_path / "table.toml"
    path.write_text(to_toml(measured, "qonnx hardware-cost table.toml"))
    found = load_accelerator(path)
    assert (found.unit, found.widths["log weights"]) == ("LUT6", (3, 4))
    for kind in KINDS:
        steps = 2 if kind.endswith("sqrt2") else None if kind == "multiplier" else 1
        places = {"weight_places": 4 if steps else None, "input_places": 9 if kind.startswith("log") else None}
        for weight, given in ((3, 4), (4, 5)):
            layer = LayerWork("a", 1, 1, 1, 0, weight, 8, given, 8, weight_steps=steps, **places)
            assert found.product_cost(layer) == measured.luts[Mac(kind, weight, given, 16)]


@pytest.mark.parametrize(
    ("mac", "accumulator"),
    [
        (Mac("multiplier", 8, 8), 24),  # 256 * 255 * 128 < 2^23
        (Mac("multiplier", 1, 1, 1), 2),
        (Mac("shifter", 5, 8), 31),  # 2^8 * 255 * 2^14 < 2^30
        (Mac("shifter_sqrt2", 5, 8), 24),  # 2^8 * 255 * 2^7 < 2^23
        (Mac("log_adder", 4, 4), 30),  # 2^8 * 2^20, 20 = 15 + 7 - 2
        (Mac("log_adder", 6, 6), 34),  # 24 guard bits
        (Mac("log_adder_sqrt2", 4, 4), 20),  # 2^8 * 2^10
    ],
)
def test_accumulators_hold_their_products(mac, accumulator):
    assert mac.parameters["ACC_BITS"] == accumulator


@pytest.mark.parametrize("kind", KINDS)
def test_every_width_of_a_kind_has_parameters(kind):
    request = Request(6, (1, 32), (1, 32), 256, (kind,))
    assert all(1 < mac.parameters["ACC_BITS"] <= 64 for mac in request.elements())
    assert len(request.elements()) == len(request.rows(kind)) * len(request.columns(kind)) >= 49


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((5, (3, 4), (4, 5), 16), "--lut is 5; choose 4 or 6"),
        ((6, (3, 4), (4, 5), 0), "--fan-in is 0"),
        ((6, (3, 4), (4, 5), 16, ("divider",)), "--kind is 'divider'; choose from multiplier"),
        ((6, (7, 9), (4, 5), 16, ("shifter",)), "weights have 2 to 6 bits"),
        ((6, (3, 4), (8, 9), 16, ("log_adder",)), "inputs 1 to 7"),
    ],
)
def test_what_no_element_has_is_refused(arguments, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        Request(*arguments)


def test_shipped_tables_are_of_the_elements_as_they_are():
    digest = hashlib.sha256(b"".join((HARDWARE / source).read_bytes() for source in SOURCES)).hexdigest()
    assert sources_digest() == digest
    assert cost_tables()
    for name, file in cost_tables().items():
        assert f"SHA-256 {digest}" in file.read_text(), f"make {name} anew: its second line says how"


def test_yosys_reads_every_element(tmp_path):
    try:
        found = Yosys.find()
    except ConfigError as error:
        pytest.skip(str(error))
    (tmp_path / "table.hex").write_text("00\n" * 256)
    around = 'module top (input [7:0] x, output [7:0] y); qonnx_lookup #(.FILE("table.hex")) lookup (x, y); endmodule\n'
    (tmp_path / "top.v").write_text(around)
    script = ["read_verilog -defer *.v", "design -save elements"]
    for element in ELEMENTS:
        (tmp_path / element.name).write_bytes(element.read_bytes())
        top = "top" if element.stem == "qonnx_lookup" else element.stem
        script += ["design -load elements", f"hierarchy -check -top {top}", "proc", "check -assert"]
    (tmp_path / "script.ys").write_text("\n".join(script) + "\n")
    run([found.program, "-q", "-s", "script.ys"], tmp_path)


def test_yosys_itself_counts_what_a_shipped_table_says(tmp_path):
    try:
        found = Yosys.find()
    except ConfigError as error:
        pytest.skip(str(error))
    if found.version not in cost_tables()["lut6.toml"].read_text():
        pytest.skip(f"this is {found.version}; the table is of another, which counts a table or two more or fewer")
    table = load_accelerator("lut6.toml").costs
    request = Request(6, (4, 4), (4, 4), 256, ("multiplier", "shifter"))
    measured = measure(request, tmp_path / "journal.jsonl", found)
    assert measured.luts == {
        Mac("multiplier", 4, 4): table.multiplier.at(4, 4),
        Mac("shifter", 4, 4): table.shifter.at(4, 4),
    }
