"""Fuzzed files: damaged, foreign, of any size and of any name. What is read must be right, the rest refused."""

from __future__ import annotations

import contextlib
import io
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, PngImagePlugin

from tests.helpers.command import Outcome, vssbench
from tests.robustness.made import assert_refused, vspw, write

Pixels = np.ndarray
SHAPE = (6, 8)


def png(pixels: Pixels, mode: str | None = None, **options: Any) -> bytes:
    image = Image.fromarray(pixels)
    if mode == "P":
        image.putpalette(bytes(range(256)) * 3)
    data = io.BytesIO()
    image.save(data, "PNG", **options)
    return data.getvalue()


def _text_chunk(pixels: Pixels) -> bytes:
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "</script>" * 9)
    return png(pixels, pnginfo=info)


def _foreign(ending: str) -> Callable[[Pixels], bytes]:
    return lambda pixels: bytes(cv2.imencode(ending, pixels)[1])


SAME: list[Callable[[Pixels], bytes]] = [
    lambda pixels: png(pixels, "P"),
    lambda pixels: png(pixels, "P", transparency=3),
    lambda pixels: png(pixels, compress_level=0),
    lambda pixels: png(pixels, optimize=True),
    lambda pixels: png(pixels) + b"after the end",
    _text_chunk,
]
"""Different files of the same labels."""
REFUSED: list[Callable[[Pixels], bytes]] = [
    lambda pixels: b"",
    lambda pixels: b"<html>404</html>",
    lambda pixels: png(pixels)[:8],
    lambda pixels: png(pixels.astype(np.uint16)),
    lambda pixels: png(pixels > 0),
    lambda pixels: png(np.stack([pixels] * 3, axis=2)),
    lambda pixels: png(np.stack([pixels] * 4, axis=2)),
    lambda pixels: png(np.stack([pixels] * 2, axis=2)),
    lambda pixels: png(pixels[:-1]),
    lambda pixels: png(pixels.T.copy()),
    lambda pixels: png(np.zeros((1, 1), np.uint8)),
    lambda pixels: png(np.zeros((37, 5000), np.uint8)),
    *map(_foreign, (".jpg", ".bmp", ".webp", ".tiff")),
]
"""Files that are not labels of this frame."""


def labels(chance: random.Random, folder: Path) -> None:
    """One label or prediction file is replaced or damaged: refused, or the same numbers to the last digit."""
    root = vspw(folder / "vspw", seed=chance.randrange(100))
    predictions = _predict(root, folder / "predictions", chance)
    before = _score(root, predictions)
    place = chance.choice([*root.glob("data/*/mask/*.png"), *predictions.glob("*/*.png")])
    pixels = np.asarray(Image.open(place))
    kind = chance.choice(("same", "refused", "cut", "flipped", "gone", "a folder"))
    if kind == "same":
        place.write_bytes(chance.choice(SAME)(pixels))
    elif kind == "refused":
        place.write_bytes(chance.choice(REFUSED)(pixels))
    elif kind == "cut":
        place.write_bytes(place.read_bytes()[: -chance.randint(1, 30)])
    elif kind == "flipped":
        data = bytearray(place.read_bytes())
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        place.write_bytes(data)
    else:
        place.unlink()
        if kind == "a folder":
            place.mkdir()
    after = _score(root, predictions)
    harmless = kind in ("cut", "flipped") and after.status == 0  # such as at the end
    if kind == "same" or harmless:
        assert after == before, after
    elif kind == "gone" and place.is_relative_to(root) and after.status == 0:  # a frame without labels
        assert json.loads(after.stdout)["labelled"] == json.loads(before.stdout)["labelled"] - 1
    else:
        assert_refused(after)


def images(chance: random.Random, folder: Path) -> None:
    """One image is replaced or damaged, for a method that uses none: refused or skipped, or nothing changes."""
    root = vspw(folder / "vspw", seed=chance.randrange(100))
    place = chance.choice(list(root.glob("data/*/origin/*.jpg")))
    data = bytearray(place.read_bytes())
    damages: dict[str, bytes] = {
        "cut": bytes(data[: chance.randrange(len(data))]),
        "flipped": bytes(data[:9]) + bytes([data[9] ^ 1 << chance.randrange(8)]) + bytes(data[10:]),
        "noise": chance.randbytes(chance.randrange(300)),
        "other size": _foreign(".jpg")(np.zeros((chance.choice((1, 7, 37)), chance.choice((1, 9, 5000)), 3), np.uint8)),
        "grey": _foreign(".jpg")(np.zeros(SHAPE, np.uint8)),
    }
    kind = chance.choice(list(damages))
    place.write_bytes(damages[kind])
    clip = place.parent.parent.name
    skip = ["--on-error", "skip-clip"] if chance.random() < 0.5 else []
    outcome = _run(root, folder, "oracle", *skip)
    if outcome.status == 0:
        result = json.loads(outcome.stdout)["methods"]["oracle"]
        assert list(result["failed"]) in ([], [clip])
        assert result["metrics"]["mIoU"] == 100
        assert kind not in ("noise", "other size") or result["failed"]
        assert result["dataset"]["labelled"] == 3 * (3 - len(result["failed"]))
    else:
        assert not skip
        assert_refused(outcome)
        assert kind not in ("grey",)


def sizes(chance: random.Random, folder: Path) -> None:
    """Clips of any size, length and share of labels: the numbers equal those of three lines of NumPy."""
    root, total = folder / "vspw", np.zeros((124, 124), np.int64)
    names = [f"clip{number}" for number in range(chance.randint(1, 3))]
    for name in names:
        size = chance.choice(((1, 1), (1, 9), (9, 1), SHAPE, (13, 7), (37, chance.choice((5, 500, 5000)))))
        vspw(root, (name,), chance.choice((1, 1, 2, 4)), size, chance.randrange(1000))
    (root / "val.txt").write_text("".join(f"{name}\n" for name in names))
    for mask in root.glob("data/*/mask/*.png"):
        if chance.random() < 0.3:
            write(mask, np.zeros(np.asarray(Image.open(mask)).shape, np.uint8))  # only void
        if chance.random() < 0.2:
            mask.unlink()
    predictions = _predict(root, folder / "predictions", chance)
    labelled = 0
    for mask in root.glob("data/*/mask/*.png"):
        truth = np.asarray(Image.open(mask)).astype(int) - 1
        said = np.asarray(Image.open(predictions / mask.parts[-3] / mask.name)).astype(int)
        np.add.at(total, (truth[truth >= 0], said[truth >= 0]), 1)
        labelled += 1
    hits, rows = np.diag(total), total.sum(1)
    ious = [hit / union for hit, row, union in zip(hits, rows, rows + total.sum(0) - hits, strict=True) if row]
    found = json.loads(_score(root, predictions).stdout)
    assert found["labelled"] == labelled
    if ious:
        assert abs(found["metrics"]["mIoU"] - 100 * np.mean(ious)) < 1e-9
    else:
        assert found["metrics"]["mIoU"] is None
        assert found["reasons"]["mIoU"]


NAMES = [
    *("..", ".", "../up", "a/b", "a\\b", "<img src=x onerror=alert(1)>", "</script>", "`rm`", "$(true)"),
    *("a|b", "a,b", "-rf", "--output", "a\tb", "a\x1b[31mb", "\u202eabc", "\U0001f600", "e\u0301"),
    *("x" * 200, " padded", "[red]x[/red]", "%s{}", "nul", "\"'", "=cmd()", "a\rb", "\x85next", "\udcff"),
    *("a:b", "*", "?", "~", "CON", "None", "@5", "mIoU"),
]  # fmt: skip


def names(chance: random.Random, folder: Path) -> None:
    """Clips with hostile names: measured under exactly those, or refused; nothing is written next to the output."""
    root = vspw(folder / "vspw", ("a", "b"))
    chosen = []
    for clip in ("a", "b"):
        name = chance.choice(NAMES) + (chance.choice(NAMES) if chance.random() < 0.3 else "")
        with contextlib.suppress(OSError):  # no folder can have it, but the list still can
            (root / "data" / clip).rename(root / "data" / name)
        chosen.append(name)
    (root / "val.txt").write_bytes("".join(f"{name}\n" for name in chosen).encode("utf-8", "surrogateescape"))
    before = set(folder.rglob("*"))
    outcome = _run(root, folder, "oracle,replay(predictions=" + json.dumps(str(folder / chosen[0])) + ")")
    assert_refused(outcome)  # those predictions do not exist
    outcome = _run(root, folder, "hold(of=oracle,key_interval=2)", "--keep-frames", "1")
    new = {path for path in folder.rglob("*") if path not in before}
    assert all(path.is_relative_to(folder / "run") or path == folder / "run" for path in new if path.suffix != ".yaml")
    if outcome.status == 0:
        (result,) = json.loads(outcome.stdout)["methods"].values()
        assert result["dataset"]["names"] == [name.strip() for name in chosen]
        table = (folder / "run" / "leaderboard.md").read_text()
        assert "<img" not in table
        assert "<script" not in table
    else:
        assert_refused(outcome)


def records(chance: random.Random, folder: Path) -> None:
    """The files of a finished run, cut, overwritten or edited: a reader reports it, or does without them."""
    root = vspw(folder / "vspw", ("a", "b"), length=2)
    assert _run(root, folder, "oracle").status == 0
    shutil.copytree(folder / "run", folder / "before")
    place = chance.choice([path for path in (folder / "run").glob("*/*.json*") if path.suffix in (".json", ".jsonl")])
    data = place.read_bytes()
    kind = chance.choice(("cut", "swapped", "noise"))
    if kind == "cut":
        place.write_bytes(data[: chance.randrange(len(data))])
    elif kind == "noise":
        place.write_bytes(chance.randbytes(40))
    else:
        words = [b"null", b"-1", b"[]", b"{}", b'"x"', b"1e999", b"true", b"[" * 2000]
        at = data.find(b":", chance.randrange(len(data))) + 1
        end = min(end for end in (data.find(b",", at), data.find(b"}", at), len(data)) if end >= 0)
        place.write_bytes(data[:at] + chance.choice(words) + data[end:])
    run = folder / "run"
    commands = (
        ["report", run, "--output", folder / "report"], ["report", run, "--protocol", "exact"], ["cite", run],
        ["cite", run, "--protocol", "exact"], ["verify", run], ["history", folder / "before", run],
    )  # fmt: skip
    for command in commands:
        outcome = vssbench(*command)
        if outcome.status not in (0, int(command[0] == "verify")):
            assert_refused(outcome)
            assert not outcome.stderr.startswith("Usage: "), outcome


def _predict(root: Path, output: Path, chance: random.Random) -> Path:
    """Random predictions for every frame."""
    rng = np.random.default_rng(chance.randrange(1000))
    for image in root.glob("data/*/origin/*.jpg"):
        shape = cv2.imread(str(image)).shape[:2]
        write(output / image.parts[-3] / f"{image.stem}.png", rng.integers(0, 124, shape, np.uint8))
    return output


def _score(root: Path, predictions: Path) -> Outcome:
    what = ["--dataset", "vspw", "--data-root", root, "--predictions", predictions, "--metrics", "mIoU,VC@2"]
    return vssbench("score", *what, "--protocol", "exact", "--json")


def _run(root: Path, folder: Path, methods: str, *more: str) -> Outcome:
    spec = folder / "bench.yaml"
    spec.write_text("metrics: [mIoU, VC@2]\nkeep_frames: 0\nprotocol: exact\nlatency: {enabled: false}\n")
    what = ["--methods", methods, "--dataset", "vspw", "--data-root", root, "--output", folder / "run"]
    return vssbench("run", spec, *what, "--json", *more)
