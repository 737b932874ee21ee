"""The README of an accelerator package."""

from collections.abc import Mapping
from typing import Any

_TEXT = """\
# Accelerator package

Made by {generator} from the graph `{name}`, model file SHA-256 `{digest}`.
Everything in it says the same as the graph: integers, bit for bit.

| file | what it is |
|---|---|
| `manifest.json` | layers in order, wires, formats, shapes, shifts, multipliers, accumulators, addresses |
| `manifest.schema.json` | its JSON Schema |
| `constants/LLL_ROLE.bin`, `.hex` | weights, biases, multipliers, addends, shifts, thresholds, tables of layer LLL |
| `constants.bin` | all of them at their addresses: {constant_bytes:,} bytes |
| `vectors/TTT.bin`, `.hex` | golden values of wire TTT for {vectors} image(s), one image after the other |
| `rtl/*.v` | processing elements, Verilog-2005 |
| `sim/*.v` | a bench for each layer: elements with the layer's parameters, its images, its golden values |
| `Makefile` | `make`: all layers in Icarus Verilog; `make layer_003`: one; `make SIM=verilator`: faster |

## Numbers

A `.bin` packs words of `bits` bits without gaps, the lowest bit first, the first bit of a byte being its lowest. A
`.hex` holds the same words for `$readmemh`, one a line. Negative numbers are in two's complement. Tensors are in
row-major order of their `shape`, the last dimension fastest; the weights of a matrix product are `[outputs, inputs]`.
Wires and constants of kind `float32` hold the bits of IEEE numbers. Addresses are in bytes. Feature maps have places
such that one memory of {map_bytes:,} bytes holds every map from the layer that makes it to the last that reads it.

Every layer on codes ends in `y = saturate(round_shift(t, shift))`, with the `rounding` 0 half_even, 1 half_up,
2 half_away, 3 floor, 4 ceil, 5 toward_zero; `bits`, `signed`, `narrow` and, where they are there, `lowest` and
`highest` are those of y. A layer with weights makes `t = multiplier * acc + addend`, with `acc` the sum of products
and `bias`, wrapped to `accumulator_bits`. Padding is code 0.

| op | product of x and w |
|---|---|
| Fixed.. | x * w |
| Shift.. | x << (abs(w) - 1), negative where w is; base sqrt 2 (`steps` 2): two accumulators |
| Log.. | a power of two: exponents add |

Layers that compute `floats` are the host's: they are listed, with golden values, and stay outside the accelerator.

## Layers

{layers}
"""


def guide(document: Mapping[str, Any]) -> str:
    """Return the text for a manifest."""
    return _TEXT.format(
        generator=document["generator"],
        name=document["model"]["name"],
        digest=document["model"]["sha256"],
        constant_bytes=document["memory"]["constants"]["bytes"],
        map_bytes=document["memory"]["maps"]["bytes"],
        vectors=document["vectors"],
        layers=_layers(document),
    )


def _layers(document: Mapping[str, Any]) -> str:
    lines = [
        "| | layer | op | reads | makes | weights | accumulator | MACs |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for layer in document["layers"]:
        weights = layer["constants"].get("w")
        cells = [
            f"{layer['index']:03d}",
            layer["name"].replace("|", "\\|"),
            layer["op"].rpartition("::")[2],
            ", ".join(_wire(document["tensors"][name]) for name in layer["inputs"]),
            ", ".join(_wire(document["tensors"][name]) for name in layer["outputs"]),
            f"{weights['bits']} bits, {_shape(weights['shape'])}" if weights else "",
            str(layer.get("accumulator_bits", "")),
            f"{layer['macs']:,}" if layer.get("macs") else "",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _wire(tensor: Mapping[str, Any]) -> str:
    kind = "float" if tensor["kind"] == "float32" else ("s" if tensor["signed"] else "u") + str(tensor["bits"])
    return f"{kind} {_shape(tensor['shape'])}"


def _shape(shape: list[int]) -> str:
    return "x".join(map(str, shape))
