"""Fuzzed text: bench.yaml and the command line. Whatever it says, the dataset does not exist: all is refused."""

from __future__ import annotations

import random
from pathlib import Path

from tests.helpers.command import vssbench
from tests.robustness.made import assert_refused

NOWHERE = ("--dataset", "vspw", "--data-root", "/nowhere/at/all")
VALID = """\
methods: [oracle, "hold(of=oracle,key_interval=3)", mpvss]
split: val
metrics: [mIoU, VC@8, "mIoU(protocol=mmseg)"]
protocol: exact
sweep: {key_interval: [1, 2]}
checkpoint: {mpvss: untrained}
latency:
  frames: 3
  seconds: 1.5
rules: {mIoU: 0.5}
limit: 2
on_error: stop
"""
PIECES = [
    *("&a", "*a", "<<: *a", "!!python/object/apply:os.system [true]", "!!binary x", "!!set {a}", "? a"),
    *("- ", ": ", "{", "}", "[", "]", "\t", "|", ">", "%", "@", "`", "#", "---\n", "...\n", "\0", "\ufeff"),
    *("\u2028", "\U0001f600", "\x1b[31m", "1e999", "-1", "0", ".nan", ".inf", "0x7f", "1_000", "yes"),
    *("null", "~", "2026-13-45", "9" * 400, "[" * 200, "{a: " * 90, "../..", "<script>", "oracle"),
    *("hold(of=oracle)", "hold(of=", "VC@0", "VC@-1", "VC@99999999999", "a" * 5000, "\n", "\n  ", "limit"),
    *("latency", "methods", "on_error: skip-clip\n", "workers: 0\n", "device: cuda:99\n"),
    *("data_root: [a]\n", "=", ","),
]  # fmt: skip


def yaml(chance: random.Random, folder: Path) -> None:
    """A run spec with pieces inserted, removed and replaced, or bytes that are not text."""
    data = _mutated(chance, VALID).encode("utf-8", "surrogatepass")
    for _ in range(chance.choice((0, 0, 0, 3))):
        at = chance.randrange(len(data) + 1)
        data = data[:at] + bytes([chance.randrange(256)]) + data[at + chance.randrange(2) :]
    (folder / "bench.yaml").write_bytes(data)
    assert_refused(vssbench("run", folder / "bench.yaml", *NOWHERE, "--output", folder / "out"))
    assert not (folder / "out").exists()


OPTIONS = {
    "--methods": 'oracle,hold(of=oracle,key_interval=3),replay(predictions="a b")',
    "--checkpoint": "hold(of=oracle)=hr:a.pth,lr:b.pth",
    "--sweep": "key_interval=1..5",
    "--distances": "0..11",
    "--codec": "h264(gop=12,bit_rate=1000000)",
    "--protocol": "exact",
    "--split": "val",
    "--limit": "3",
    "--workers": "2",
    "--threads": "1",
    "--device": "cpu",
    "--keep-frames": "3",
    "--on-error": "skip-clip",
}


def arguments(chance: random.Random, folder: Path) -> None:
    """Options with fuzzed values, once or twice."""
    chosen = chance.choices(list(OPTIONS), k=chance.randint(1, 3))
    given = [part for name in chosen for part in (name, _mutated(chance, OPTIONS[name]).replace("\0", ""))]
    assert_refused(vssbench("run", "--methods", "oracle", *given, *NOWHERE, "--output", folder / "out"))
    assert not (folder / "out").exists()


def _mutated(chance: random.Random, text: str) -> str:
    for _ in range(chance.randint(1, 4)):
        start = chance.randrange(len(text) + 1)
        end = start + chance.choice((0, 0, 1, 3, 20))
        text = text[:start] + chance.choice([*PIECES, text[:start], ""]) + text[end:]
    return text
