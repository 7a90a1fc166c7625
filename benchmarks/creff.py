"""CReFF's local attention, formulation by formulation, and the resulting time of AR-Seg's nonkey frame.

    python benchmarks/creff.py [--size 720x960] [--rounds 3] [--threads 2] [--device cpu]

Every round times the key frame (HR network) and then the nonkey frame (LR network at 0.5, warp, fusion, classes) with
each formulation, so that drift of the machine affects all alike; medians are printed. The attention alone is timed on
the same features. Its peak memory is what it adds to the process; its error is the largest difference from the
definition in float64.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import perf_counter
from unittest.mock import patch

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from vssbench import Frame, load_method
from vssbench.methods.arseg import creff
from vssbench.methods.arseg.creff import local_attention, plain_local_attention
from vssbench.methods.arseg.tiles import REACH, WINDOW
from vssbench.networks.sizes import parse_size
from vssbench.types import Method

Attention = Callable[[Tensor, Tensor, Tensor], Tensor]


def shifts(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Loop over the 49 shifts of the whole map."""
    query = query.contiguous()
    _, _, height, width = query.shape
    places = [(slice(y, y + height), slice(x, x + width)) for y in range(WINDOW) for x in range(WINDOW)]
    key, value = (F.pad(x.contiguous(), (REACH,) * 4) for x in (key, value))
    weights = torch.softmax(torch.stack([(query * key[..., y, x]).sum(1) for y, x in places]), 0)
    result = torch.zeros_like(query)
    for weight, (y, x) in zip(weights, places, strict=True):
        result.addcmul_(weight.unsqueeze(1), value[..., y, x])
    return result


def shifted_strips(query: Tensor, key: Tensor, value: Tensor, rows: int = 16) -> Tensor:
    """Run the same loop on strips of rows, so that their queries, keys and values stay in the cache."""
    height = query.shape[2]
    key, value = (F.pad(x, (0, 0, REACH, REACH)) for x in (key, value))
    parts = []
    for top in range(0, height, rows):
        around = slice(top, top + rows + 2 * REACH)
        part = F.pad(query[:, :, top : top + rows], (0, 0, REACH, REACH))  # its border is computed and cut off
        parts.append(shifts(part, key[:, :, around], value[:, :, around])[:, :, REACH:-REACH])
    return torch.cat(parts, 2)


def copied_tiles(query: Tensor, key: Tensor, value: Tensor, attend: str, tile: tuple[int, int]) -> Tensor:
    """Copy the keys of each tile together, then do one masked product per tile: bmm, or torch's fused attention."""
    (rows, columns), (_, channels, height, width) = tile, query.shape
    below, right = -height % rows, -width % columns
    query = F.pad(query[0].permute(1, 2, 0), (0, 0, 0, right, 0, below))
    key, value = (
        F.pad(x[0].permute(1, 2, 0), (0, 0, REACH, right + REACH, REACH, below + REACH)) for x in (key, value)
    )
    mask = creff._outside(rows, columns, query.dtype, query.device)
    strips = []
    for top in range(0, height, rows):
        queries, keys, values = (
            x[top : top + high].unfold(1, wide, columns).permute(1, 3, 0, 2).reshape(-1, high * wide, channels)
            for x, high, wide in (
                (query, rows, columns),
                (key, rows + 2 * REACH, columns + 2 * REACH),
                (value, rows + 2 * REACH, columns + 2 * REACH),
            )
        )
        if attend == "sdpa":
            result = F.scaled_dot_product_attention(queries[None], keys[None], values[None], mask, scale=1.0)[0]
        else:
            scores = torch.bmm(queries, keys.transpose(1, 2)).add_(mask)
            result = torch.bmm(torch.softmax(scores, -1), values)
        strips.append(result.view(-1, rows, channels).transpose(0, 1))
    return torch.cat(strips)[:height, :width].unsqueeze(0).permute(0, 3, 1, 2)


def undivided(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Run our formulation with torch splitting each product among its threads."""
    with patch.object(creff, "_share", lambda work, items: work(items)):
        return local_attention(query, key, value)


FORMULATIONS: dict[str, Attention] = {
    "49 shifts of the map": shifts,
    "49 shifts of strips of 16 rows": shifted_strips,
    "unfolded strips, one product a pixel": plain_local_attention,
    "copied tiles 4x8, bmm": partial(copied_tiles, attend="bmm", tile=(4, 8)),
    "copied tiles 8x8, fused attention": partial(copied_tiles, attend="sdpa", tile=(8, 8)),
    "overlapping tiles 2x8, torch's threads": undivided,
    **{f"overlapping tiles {r}x{c}": partial(local_attention, tile=(r, c)) for r, c in ((4, 4), (4, 8), (8, 8))},
    "overlapping tiles, as used": local_attention,
}


def definition(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    return shifts(query.double(), key.double(), value.double())


def timed(work: Callable[[], object], device: str) -> float:
    start = perf_counter()
    work()
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
    return perf_counter() - start


def memory(work: Callable[[], object], device: str) -> float:
    """MB that the work adds at its peak."""
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        work()
        return (torch.cuda.max_memory_allocated(device) - before) / 2**20
    Path("/proc/self/clear_refs").write_text("5")
    before = resident("VmRSS")
    work()
    return resident("VmHWM") - before


def resident(key: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(key + ":"))


def frames(height: int, width: int) -> list[Frame]:
    """A key frame and one that follows it."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (2, height, width, 3), dtype=np.uint8)
    coarse = torch.from_numpy(rng.normal(0, 8, (1, 2, 6, 8)).astype(np.float32))
    motion = F.interpolate(coarse, (height, width), mode="bilinear")[0].permute(1, 2, 0).numpy()
    return [Frame("a", 0, images[0]), Frame("a", 1, images[1], side={"motion": motion})]


def run(method: Method, frame: Frame) -> None:
    method.decode(method.step(method.prepare(frame)))


@torch.inference_mode()
def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--size", default="720x960", help="HxW")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    height, width = parse_size(options.size, "--size ")
    torch.set_num_threads(options.threads)
    method = load_method("arseg(backbone=psp18,labels=camvid12)", device=options.device)
    key, nonkey = frames(height, width)
    run(method, key)
    run(method, nonkey)
    generator = torch.Generator().manual_seed(0)
    inputs = [
        (torch.randn(1, 64, height, width, generator=generator) / 2)
        .to(options.device)
        .contiguous(memory_format=torch.channels_last)
        for _ in range(3)
    ]
    expected = definition(*inputs)
    keys: list[float] = []
    alone: dict[str, list[float]] = {name: [] for name in FORMULATIONS}
    whole: dict[str, list[float]] = {name: [] for name in FORMULATIONS}
    peak, error = {}, {}
    for number in range(options.rounds):
        keys.append(timed(lambda: run(method, key), options.device))
        for name, attention in FORMULATIONS.items():
            if number == 0:
                peak[name] = memory(lambda work=attention: work(*inputs), options.device)
                error[name] = float((attention(*inputs) - expected).abs().max())
            alone[name].append(timed(lambda work=attention: work(*inputs), options.device))
            with patch.object(creff, "local_attention", attention):
                whole[name].append(timed(lambda: run(method, nonkey), options.device))
    hr, best = statistics.median(keys), min(keys)
    print(f"psp18, {options.size}, {options.threads} threads, {options.device}: key {hr:.2f} s, at best {best:.2f} s")
    print(f"{'attention':40} {'alone, s':>9} {'MB':>6} {'error':>8} {'nonkey, s':>10} {'/ key':>6} {'best':>8}")
    for name, times in whole.items():
        frame = statistics.median(times)
        print(
            f"{name:40} {statistics.median(alone[name]):9.2f} {peak[name]:6.0f} {error[name]:8.0e} {frame:10.2f} "
            f"{frame / hr:6.2f} {min(times) / best:8.2f}"
        )


if __name__ == "__main__":
    main()
