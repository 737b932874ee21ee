"""The SIMD levels of the custom-op library, and whether this CPU runs them."""

from pathlib import Path

FLAGS: dict[str, set[str]] = {
    "portable": set(),
    "v2": {"sse4_2"},
    "v3": {"avx2", "fma"},
    "v4": {"avx512bw", "avx512vl", "avx512_vnni"},
    "amx": {"avx512bw", "avx512vl", "avx512_vnni", "amx_tile", "amx_int8"},
}
"""What /proc/cpuinfo must name, by level."""
LEVELS = tuple(FLAGS)


def lacks(level: str) -> bool:
    """Whether this CPU does not run ``level``."""
    cpu = Path("/proc/cpuinfo")
    return not FLAGS[level] <= set(cpu.read_text().split() if cpu.exists() else [])
