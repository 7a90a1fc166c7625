"""How long scoring takes, beside only decoding the same PNGs and beside direct loops over windows.

    python benchmarks/scoring.py [--clips 20] [--frames 71] [--palette] [--folder DIR]

Writes moving blobs in the VSPW layout into a temporary folder, 480x853 with 124 classes, and prints seconds and ratios.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import cv2
import numpy as np
from PIL import Image

from vssbench.metrics.plan import DEFAULT
from vssbench.metrics.protocols import PROTOCOLS, evaluate
from vssbench.names import parse
from vssbench.scoring import Submission, score

SIZE = (480, 853)
CLASSES = 124


def write(root: Path, clips: int, frames: int, palette: bool) -> None:
    """Masks under data/<clip>/mask (file values 1 to 124, a little void), predictions under predictions/<clip>."""
    rng = np.random.default_rng(0)
    names = [f"clip{number:03d}" for number in range(clips)]
    for name in names:
        folders = [root / "data" / name / "mask", root / "data" / name / "origin", root / "predictions" / name]
        for folder in folders:
            folder.mkdir(parents=True)
        blobs = _Blobs(rng)
        for index in range(frames):
            mask, prediction = blobs.draw(index)
            _save(mask, folders[0] / f"{index:08d}.png", palette)
            (folders[1] / f"{index:08d}.jpg").touch()  # listed, never decoded
            _save(prediction, folders[2] / f"{index:08d}.png", palette)
    (root / "val.txt").write_text("\n".join(names) + "\n")


class _Blobs:
    """Forty ellipses that drift and turn; the prediction lags, wobbles at its borders and misnames some."""

    def __init__(self, rng: np.random.Generator):
        height, width = SIZE
        self.centre = rng.uniform((0, 0), (width, height), (40, 2))
        self.speed = rng.normal(0, 2, (40, 2))
        self.axes = rng.uniform(15, 150, (40, 2))
        self.turn = rng.normal(0, 2, 40)
        self.truth = rng.integers(0, CLASSES + 1, 40)  # file values, 0 is void
        self.guess = np.where(rng.random(40) < 0.8, np.maximum(self.truth - 1, 0), rng.integers(0, CLASSES, 40))

    def draw(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        mask, prediction = np.full(SIZE, 3, np.uint8), np.full(SIZE, 2, np.uint8)
        for number in range(len(self.centre)):
            wobble = 1 + 0.04 * np.sin(index * 0.9 + number)
            self._ellipse(mask, number, index, 1.0, self.truth[number])
            self._ellipse(prediction, number, index - 1, wobble, self.guess[number])
        return mask, prediction

    def _ellipse(self, image: np.ndarray, number: int, index: int, scale: float, value: int) -> None:
        centre = tuple((self.centre[number] + index * self.speed[number]).round().astype(int).tolist())
        axes = tuple((self.axes[number] * scale).round().astype(int).tolist())
        cv2.ellipse(image, centre, axes, float(self.turn[number] * index), 0, 360, int(value), -1)


def _save(values: np.ndarray, path: Path, palette: bool) -> None:
    image = Image.fromarray(values)
    if palette:
        image.putpalette(np.arange(768).astype(np.uint8).tobytes())
    image.save(path)


def decode_only(root: Path) -> None:
    """What scoring cannot avoid: every mask and every prediction from PNG to pixels, one after the other."""
    for pattern in ("data/*/mask/*.png", "predictions/*/*.png"):
        for path in sorted(root.glob(pattern)):
            with Image.open(path) as image:
                np.asarray(image)


def window_loops(root: Path) -> None:
    """VC8 and VC16 the direct way: each window compares its n - 1 later frames with its first one."""
    for clip in sorted((root / "data").iterdir()):
        files = sorted((clip / "mask").glob("*.png"))
        truth = np.stack([np.asarray(Image.open(file)) for file in files])
        guess = np.stack([np.asarray(Image.open(root / "predictions" / clip.name / file.name)) for file in files])
        for n in (8, 16):
            for first in range(len(files) - n):
                window = slice(first + 1, first + n)
                constant = (truth[window] == truth[first]).all(0)
                float((constant & (guess[window] == guess[first]).all(0)).sum() / constant.sum())


def score_under(root: Path, protocols: list[str]) -> None:
    submission = Submission("vspw", root, "val", root / "predictions", DEFAULT)
    scores = score(submission)
    space = submission.open().space
    for protocol in protocols:
        evaluate(protocol, space, scores, [parse(metric) for metric in DEFAULT])


def measure(root: Path) -> None:
    jobs: dict[str, Callable[[], None]] = {
        "only decoding": lambda: decode_only(root),
        "one protocol": lambda: score_under(root, ["vspw"]),
        "all protocols": lambda: score_under(root, list(PROTOCOLS)),
        "window loops": lambda: window_loops(root),
    }
    jobs["only decoding"]()  # the files are in the cache of the system from here on
    base = None
    for name, job in jobs.items():
        start, cpu = perf_counter(), _cpu()
        job()
        seconds = perf_counter() - start
        base = base or seconds
        print(
            f"{name:15} {seconds:7.2f} s  x{seconds / base:5.2f}  cpu {_cpu() - cpu:7.2f} s  peak memory so far "
            f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB"
        )


def _cpu() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=20)
    parser.add_argument("--frames", type=int, default=71)
    parser.add_argument("--palette", action="store_true", help="write PNGs with a palette instead of grey ones")
    parser.add_argument("--folder", type=Path, default=None, help="keep the files here, and use what is there")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as temporary:
        root = options.folder or Path(temporary)
        if not (root / "val.txt").exists():
            write(root, options.clips, options.frames, options.palette)
        measure(root)


if __name__ == "__main__":
    main()
