"""How long the networks' steps take, next to transformers' unmodified models timed in the same run.

    python benchmarks/inference.py [--size 480x853] [--threads 2] [--rounds 5] [--options] [--only mrcfa]

The unit is one frame of transformers' own Mask2Former (R50, 124 classes): its forward pass and the plain
post-processing of its image processor. MPVSS's key frame, nonkey frame and output stage are shares of that. MRCFA's
cached frame is compared with a frame of transformers' own SegFormer with the same backbone, logits upsampled, argmax.
VidEoMT (S, at the frame's own size) is compared with transformers' own on a clip of one frame, with all masks enlarged
at once; ESPNet, ESPNetv2, TDNet and Accel with their own networks run plainly; CFFM and TV3S with all four frames
computed again for each target, and a scan of one window after the other, token by token. All are timed in turn, so that
drift of the machine affects all alike; ratios are of medians. --options adds dtype=bf16 and decode=fast.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any
from unittest import mock

import cv2
import torch
from torch import Tensor
from torch.nn import functional as F
from transformers import Mask2FormerForUniversalSegmentation, Mask2FormerImageProcessorPil

from vssbench import Frame, load_method
from vssbench.datasets.synthetic.dataset import Synthetic
from vssbench.methods.accel.adapter import Accel
from vssbench.methods.arseg.pspnet import BINS
from vssbench.methods.mask2former.network import configure
from vssbench.methods.segformer.network import build
from vssbench.methods.tdnet.adapter import Tdnet
from vssbench.methods.tdnet.network import Memory
from vssbench.methods.tv3s import network as tv3s_network
from vssbench.methods.videomt.network import build as build_videomt
from vssbench.methods.videomt.network import positions
from vssbench.methods.videomt.output import class_scores
from vssbench.networks.sizes import parse_size
from vssbench.networks.transformers_models import quiet_transformers
from vssbench.types import Method

Job = Callable[[], Any]
GOALS = {"mpvss nonkey step": 0.12, "mpvss nonkey step + decode": 0.18, "mpvss key step": 0.8}
MRCFA_GOAL = 1.3


def clip(size: tuple[int, int], count: int) -> list[Frame]:
    """Frames of labelled synthetic video at that size."""
    height, width = size
    dataset = Synthetic(None, "val", clips=1, frames=count, height=height, width=width)
    return list(dataset.frames(dataset.clips()[0]))


class Streamed:
    """A method some frames into a clip, whose next step is always the same frame."""

    def __init__(self, spec: str, frames: list[Frame], before: int):
        self.method: Method = load_method(spec, checkpoint="untrained")
        self.inputs = [self.method.prepare(frame) for frame in frames[: before + 1]]
        self.before = before
        self.y = self.again()

    def again(self) -> Any:
        """Run from `reset` up to the timed frame."""
        self.method.reset()
        for x in self.inputs:
            self.y = self.method.step(x)
        return self.y

    def step(self) -> None:
        self.method.step(self.inputs[-1])

    def key(self) -> None:
        self.method.reset()
        self.method.step(self.inputs[0])

    def decode(self) -> None:
        self.method.decode(self.y)


def plain_mask2former(image: torch.Tensor, size: tuple[int, int]) -> Job:
    """Job for transformers' own model and post-processing, on the same normalised frame."""
    with quiet_transformers():
        network = Mask2FormerForUniversalSegmentation(configure("r50", 124)).eval()
    processor = Mask2FormerImageProcessorPil()

    @torch.inference_mode()
    def run() -> None:
        processor.post_process_semantic_segmentation(network(image), target_sizes=[size])

    return run


def plain_segformer(image: torch.Tensor, size: tuple[int, int]) -> Job:
    """Job for transformers' own SegFormer B1 with its default attention, logits upsampled to the frame, argmax."""
    network = build("mit_b1", 124)
    network.set_attn_implementation("sdpa")

    @torch.inference_mode()
    def run() -> None:
        F.interpolate(network(image).logits, size, mode="bilinear", align_corners=False).argmax(1)

    return run


def plain_espnet(network: torch.nn.Module, image: torch.Tensor, size: tuple[int, int]) -> Job:
    """Job for the same network in PyTorch's default memory format, all its outputs resized to the frame, argmax."""
    network, image = copy.deepcopy(network).to(memory_format=torch.contiguous_format), image.contiguous()

    @torch.inference_mode()
    def run() -> None:
        F.interpolate(network(image), size, mode="nearest-exact").argmax(1)

    return run


def plain_videomt(x: Any) -> Job:
    """Job for transformers' own VidEoMT on a clip of one frame, given the frame's grid, output stage written out."""
    network, padded = build_videomt("vit_s", 124), x.geometry.padded
    table = positions(network, padded)[0].detach()
    network.grid_size = (padded[0] // 16, padded[1] // 16)
    network.embeddings.position_embeddings = torch.nn.Embedding.from_pretrained(table)
    network.embeddings.position_ids = torch.arange(len(table))[None]

    @torch.inference_mode()
    def run() -> None:
        found = network(x.image[None])
        class_scores(found.class_queries_logits[0], found.masks_queries_logits[0], x.geometry).argmax(0)

    return run


def plain_tdnet(method: Tdnet, image: torch.Tensor, past: list[Memory], size: tuple[int, int]) -> Job:
    """A fused frame in the order of the authors' code, in PyTorch's default memory format: whole levels of the pyramid
    are enlarged before half of them is taken, stored results are computed again, projections after attention are
    convolutions; logits enlarged, argmax."""
    path = copy.deepcopy(method.network.paths[3]).to(memory_format=torch.contiguous_format)
    image, stride = image.contiguous(), method.subsampling

    def tokens(x: torch.Tensor) -> torch.Tensor:
        return x.flatten(2).transpose(1, 2)

    @torch.inference_mode()
    def run() -> None:
        x = path.trunk(image)[2]
        levels = [conv(F.adaptive_avg_pool2d(x, bins)) for bins, conv in zip(BINS, path.pyramid, strict=True)]
        whole = [F.interpolate(one, x.shape[-2:], mode="bilinear", align_corners=True) for one in levels]
        feature = torch.cat([one.chunk(2, 1)[path.part] for one in (x, *whole)], 1)
        value, queries = path.value(feature), [*(one.query for one in past[1:]), tokens(path.query(feature))]
        passed = torch.zeros_like(past[0].value)
        for link, query, one in zip(path.links, queries, past, strict=True):
            shares = torch.softmax(query @ one.key.transpose(1, 2) / query.shape[-1] ** 0.5, -1)
            passed = link((shares @ (one.value + passed)).transpose(1, 2)[..., None])[..., 0].transpose(1, 2)
        fused = value + passed.transpose(1, 2).unflatten(2, value.shape[-2:])
        scores = path.classify(fused)
        for encode in (path.query, path.key, path.value):
            tokens(encode(feature[..., ::stride, ::stride]))
        F.interpolate(scores, size, mode="bilinear", align_corners=True).argmax(1)

    return run


def plain_accel(method: Accel, frames: list[Frame]) -> Job:
    """A frame after the key frame: the same branches and flow, all classes warped at once, one convolution over the
    scores of both, argmax."""
    reference, update, flow = method.reference, method.update, method.flow
    before, now = (cv2.cvtColor(frame.image, cv2.COLOR_RGB2GRAY) for frame in frames[:2])
    held = torch.from_numpy(reference.scores(reference.step(reference.prepare(frames[0]))))[None]
    height, width = now.shape
    x, y = torch.arange(width), torch.arange(height)[:, None]

    @torch.inference_mode()
    def run() -> None:
        motion = torch.from_numpy(flow(now, before))
        across, down = 2 * (x + motion[..., 0]) / (width - 1) - 1, 2 * (y + motion[..., 1]) / (height - 1) - 1
        place = torch.stack([across, down], -1)
        warped = F.grid_sample(held, place[None], align_corners=True)
        scores = torch.from_numpy(update.scores(update.step(update.prepare(frames[1]))))[None]
        method.correction(torch.cat([warped, scores], 1)).argmax(1)

    return run


def timed(jobs: dict[str, Job], rounds: int) -> dict[str, float]:
    """Median seconds of each job; the jobs take turns."""
    for job in jobs.values():
        job()
    spent: dict[str, list[float]] = {name: [] for name in jobs}
    for _ in range(rounds):
        for name, job in jobs.items():
            start = perf_counter()
            job()
            spent[name].append(perf_counter() - start)
    return {name: median(times) for name, times in spent.items()}


def mpvss(frames: list[Frame], rounds: int, options: list[str]) -> None:
    size = frames[0].image.shape[:2]
    plain = Streamed("mpvss(backbone=r50,labels=vspw)", frames, 1)
    unit = "transformers' Mask2Former, with post-processing"
    jobs = {unit: plain_mask2former(plain.inputs[0].image, size)}
    for option in ["", *options]:
        one = Streamed(f"mpvss(backbone=r50,labels=vspw{option})", frames, 1) if option else plain
        jobs |= {f"mpvss {part}{option}": getattr(one, part) for part in ("key", "step", "decode")}
    seconds = timed(jobs, rounds)
    base = seconds[unit]
    print(f"{unit}: {base:.3f} s")
    for option in ["", *options]:
        key, nonkey, decode = (seconds[f"mpvss {part}{option}"] for part in ("key", "step", "decode"))
        rows = {
            "mpvss key step": key, "mpvss key step + decode": key + decode,
            "mpvss nonkey step": nonkey, "mpvss nonkey step + decode": nonkey + decode,
        }  # fmt: skip
        for name, value in rows.items():
            goal = f", goal {GOALS[name]}" if name in GOALS else ""
            print(f"  {name + option:44} {value:7.3f} s  x {value / base:.3f}{goal}")


def mrcfa(frames: list[Frame], rounds: int, options: list[str]) -> None:
    size = frames[0].image.shape[:2]
    alone = load_method("segformer(backbone=mit_b1,labels=vspw)", checkpoint="untrained")
    x = alone.prepare(frames[0])
    unit = "transformers' SegFormer B1, upsampled, argmax"
    jobs = {unit: plain_segformer(x[0], size), "our segformer": lambda: alone.decode(alone.step(x))}
    for option in ["", *options]:
        one = Streamed(f"mrcfa(backbone=mit_b1,labels=vspw{option})", frames, 10)
        jobs |= {f"mrcfa {part}{option}": getattr(one, part) for part in ("step", "decode")}
    seconds = timed(jobs, rounds)
    base = seconds[unit]
    print(f"{unit}: {base:.3f} s; by the method segformer {seconds['our segformer']:.3f} s")
    for option in ["", *options]:
        both = seconds[f"mrcfa step{option}"] + seconds[f"mrcfa decode{option}"]
        print(
            f"  {'mrcfa cached step + decode' + option:44} {both:7.3f} s  x {both / base:.3f}, goal {MRCFA_GOAL}; "
            f"of the method segformer x {both / seconds['our segformer']:.3f}"
        )


def espnet(frames: list[Frame], rounds: int, _: list[str]) -> None:
    for spec in ("espnet(labels=camvid)", "espnetv2(labels=camvid)"):
        method = load_method(spec, checkpoint="untrained")
        x = method.prepare(frames[0])
        jobs = {
            "plain": plain_espnet(method.network, x.image, x.size),
            "ours": lambda m=method, x=x: m.decode(m.step(x)),
        }
        seconds = timed(jobs, rounds)
        print(f"{spec.split('(')[0]} with rows first, all outputs upsampled, argmax: {seconds['plain']:.3f} s")
        print(f"  {'step + decode':44} {seconds['ours']:7.3f} s  x {seconds['ours'] / seconds['plain']:.3f}")


def videomt(frames: list[Frame], rounds: int, options: list[str]) -> None:
    one = Streamed("videomt(backbone=vit_s,labels=vspw,resize=none)", frames, 1)
    unit = "transformers' VidEoMT S, output stage written out"
    jobs = {unit: plain_videomt(one.inputs[0]), "videomt step": one.step, "videomt decode": one.decode}
    for option in options:
        other = Streamed(f"videomt(backbone=vit_s,labels=vspw,resize=none{option})", frames, 1)
        jobs |= {f"videomt step{option}": other.step, f"videomt decode{option}": other.decode}
    seconds = timed(jobs, rounds)
    base = seconds[unit]
    print(f"{unit}: {base:.3f} s")
    for option in ["", *options]:
        step, decode = (seconds[f"videomt {part}{option}"] for part in ("step", "decode"))
        print(f"  {'videomt step' + option:44} {step:7.3f} s  x {step / base:.3f}")
        print(f"  {'videomt step + decode' + option:44} {step + decode:7.3f} s  x {(step + decode) / base:.3f}")


def plain_scan(
    u: Tensor, step: Tensor, rate: Tensor, into: Tensor, out: Tensor, state: Tensor
) -> tuple[Tensor, Tensor]:
    """Compute `vssbench.methods.tv3s.scan.selective_scan` as written in the paper."""
    found, after = [], []
    for p in range(len(u)):
        h, ys = state[p], []
        for t in range(u.shape[1]):
            h = (step[p, t] * rate).exp() * h + step[p, t] * u[p, t] * into[p, t, :, None]
            ys.append((out[p, t, :, None] * h).sum(0))
        found.append(torch.stack(ys))
        after.append(h)
    return torch.stack(found), torch.stack(after)


def cffm(frames: list[Frame], rounds: int, _: list[str]) -> None:
    one, other = (
        Streamed(f"cffm(backbone=mit_b1,labels=vspw,references={references})", frames, 10)
        for references in ("recompute", "cached")
    )
    seconds = timed({"recompute": one.step, "cached": other.step}, rounds)
    print(f"cffm step, references=recompute: {seconds['recompute']:.3f} s")
    print(f"  {'cffm cached step':44} {seconds['cached']:7.3f} s  x {seconds['cached'] / seconds['recompute']:.3f}")


def tv3s(frames: list[Frame], rounds: int, _: list[str]) -> None:
    jobs = {}
    for memory in ("stream", "window"):
        one = Streamed(f"tv3s(backbone=mit_b1,labels=vspw,memory={memory})", frames, 10 if memory == "window" else 1)

        def plain(step: Job = one.step) -> None:
            with mock.patch.object(tv3s_network, "selective_scan", plain_scan):
                step()

        jobs |= {f"tv3s {memory} step, plain scan": plain, f"tv3s {memory} step": one.step}
    seconds = timed(jobs, rounds)
    for memory in ("stream", "window"):
        base, ours = seconds[f"tv3s {memory} step, plain scan"], seconds[f"tv3s {memory} step"]
        print(f"tv3s {memory} step, plain scan: {base:.3f} s")
        print(f"  {f'tv3s {memory} step':44} {ours:7.3f} s  x {ours / base:.3f}")


def tdnet(frames: list[Frame], rounds: int, _: list[str]) -> None:
    ours = Streamed("tdnet(backbone=td4_psp18,labels=cityscapes,resize=none)", frames, 3)
    method, size = ours.method, frames[0].image.shape[:2]
    ours.again()
    past = list(method._past)  # frames 1 to 3: the last one is timed again, as in the stream
    jobs = {"plain": plain_tdnet(method, ours.inputs[-1].image, past, size), "step": ours.step, "decode": ours.decode}
    seconds = timed(jobs, rounds)
    both = seconds["step"] + seconds["decode"]
    print(f"tdnet TD4-PSP18 as the authors order it, rows first, logits enlarged, argmax: {seconds['plain']:.3f} s")
    print(f"  {'tdnet fused frame, step + decode':44} {both:7.3f} s  x {both / seconds['plain']:.3f}")


def accel(frames: list[Frame], rounds: int, _: list[str]) -> None:
    files = {"espnet": "untrained", "accel": "untrained"}
    method = load_method("accel(reference=espnet,update=espnet)", labels="camvid", checkpoints=files)

    def nonkey() -> None:
        method.decode(method.step(method.prepare(frames[1])))

    method.reset()
    method.decode(method.step(method.prepare(frames[0])))
    seconds = timed({"plain": plain_accel(method, frames), "ours": nonkey}, rounds)
    print(f"accel over espnet, a nonkey frame with all classes warped and convolved at once: {seconds['plain']:.3f} s")
    print(
        f"  {'accel nonkey frame, all phases':44} {seconds['ours']:7.3f} s  x {seconds['ours'] / seconds['plain']:.3f}"
    )


ROWS = {
    "mpvss": (mpvss, [",dtype=bf16", ",decode=fast"]),
    "mrcfa": (mrcfa, [",dtype=bf16"]),
    "videomt": (videomt, [",dtype=bf16"]),
    "espnet": (espnet, []),
    "cffm": (cffm, []),
    "tv3s": (tv3s, []),
    "tdnet": (tdnet, []),
    "accel": (accel, []),
}
"""Method -> the function that times it against its plain form, and its options."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="480x853")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--options", action="store_true", help="also dtype=bf16 and decode=fast")
    parser.add_argument("--only", default=",".join(ROWS), help=f"of {', '.join(ROWS)}")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    height, width = parse_size(given.size, "--size ")
    frames = clip((height, width), 11)
    for name in given.only.split(","):
        row, options = ROWS[name]
        row(frames, given.rounds, options if given.options else [])


if __name__ == "__main__":
    main()
