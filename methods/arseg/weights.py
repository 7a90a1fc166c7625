"""The official checkpoints' names (repository at 6a72b5d) and ours, and filling both branches from a pair of files."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from vssbench.errors import UserError
from vssbench.methods.arseg.bisenet import BiSeNet
from vssbench.methods.arseg.layers import Branch
from vssbench.methods.arseg.pspnet import BINS, PSPCamVid, PSPCityscapes
from vssbench.networks.checkpoints import Checkpoint, load_strict, read, told
from vssbench.specs import parse
from vssbench.types import Weights

Files = str | Path | Mapping[str, str | Path]
_SCALES = {"arseg": 0.5, "psp18": 1.0, "bise18": 1.0}
"""The methods' default scales."""
CREFF = "fuse_attention."


@dataclass(frozen=True)
class Layout:
    """One network's names in an official file.

    prefixes: prefix of our name -> prefix of theirs; the longest match counts
    aliases:  modules that the official network registers twice: prefix of the second name -> prefix of the first
    """

    prefixes: dict[str, str]
    aliases: dict[str, str] = field(default_factory=dict)

    def official(self, name: str) -> str:
        """Return the official name of one of our state-dict entries."""
        ours = max((prefix for prefix in self.prefixes if name.startswith(prefix)), key=len)
        return self.prefixes[ours] + name.removeprefix(ours)


def _norm(ours: str, theirs: str) -> dict[str, str]:
    """Return the prefixes for the convolution and the normalisation of a ConvNormReLU."""
    return {f"{ours}.0.": f"{theirs}.conv.", f"{ours}.1.": f"{theirs}.bn."}


_FUSION = {
    "creff.query.": CREFF + "lr_query_conv.",
    "creff.key.": CREFF + "hr_key_conv.",
    "creff.value.": CREFF + "hr_value_conv.",
}

LAYOUTS: dict[type[Branch], Layout] = {
    PSPCamVid: Layout(
        {
            **_FUSION,
            "backbone.": "feats.",
            **{f"pyramid.{i}.": f"psp.stages.{i}.1." for i in range(len(BINS))},
            "bottleneck.": "psp.bottleneck.",
            **{f"climb.{i}.": f"up_{i + 1}.conv." for i in range(3)},
            "classifier.": "final_conv.",
            "presence.": "classifier.",
        }
    ),
    PSPCityscapes: Layout(
        {
            **_FUSION,
            "backbone.": "",
            "backbone.conv1.": "layer0.0.",
            "backbone.bn1.": "layer0.1.",
            **{f"pyramid.{i}.{j}.": f"ppm.features.{i}.{j + 1}." for i in range(len(BINS)) for j in range(2)},
            "bottleneck.": "cls.",
            "classifier.": "final_conv.",
            "deep_head.0.": "aux.",
            "deep_head.2.": "aux.4.",
        },
        {"cls.4.": "final_conv."},
    ),
    BiSeNet: Layout(
        {
            **_FUSION,
            "context.backbone.": "cp.resnet.",
            **_norm("context.average", "cp.conv_avg"),
            **{
                ours: theirs
                for scale in (16, 32)
                for ours, theirs in {
                    **_norm(f"context.arm{scale}.conv", f"cp.arm{scale}.conv"),
                    f"context.arm{scale}.gate.conv.": f"cp.arm{scale}.conv_atten.",
                    f"context.arm{scale}.gate.bn.": f"cp.arm{scale}.bn_atten.",
                    **_norm(f"context.head{scale}", f"cp.conv_head{scale}"),
                    **_norm(f"head{scale // 2}.0", f"conv_out{scale}.conv"),
                    f"head{scale // 2}.1.": f"conv_out{scale}.conv_out.",
                }.items()
            },
            **{
                ours: theirs
                for i, name in enumerate(("conv1", "conv2", "conv3", "conv_out"))
                for ours, theirs in _norm(f"spatial.{i}", f"sp.{name}").items()
            },
            **_norm("fusion.conv", "ffm.convblk"),
            "fusion.gate.": "ffm.",
            **_norm("head", "feat_conv_out"),
            "classifier.": "final_conv.",
        },
        {"conv_out.conv.": "feat_conv_out.", "conv_out.conv_out.": "final_conv."},
    ),
}


def load(branches: Mapping[str, Branch], files: Files | None, scales: Mapping[str, float]) -> Weights:
    """Fill the branches ("hr", "lr", or one of them) from the user's files and return where the weights come from.

    files:  a file for every branch; for a single branch a path is enough; None leaves the branches as they are
    scales: scale of the frames that each branch will see
    A file is in the official layout or in ours (state-dict names of the branch).
    Raises UserError if a branch has no file, or one that does not fit, was trained on frames of a different scale, or
    does not belong with the other branch's.
    """
    if files is None:
        return Weights("untrained")
    if not isinstance(files, Mapping) and len(branches) == 1:
        files = dict.fromkeys(branches, files)
    if not isinstance(files, Mapping) or set(files) != set(branches):
        wanted = ",".join(f"{name}:{name}.pth" for name in branches)
        raise UserError(
            "AR-Seg has two networks, each with its own file" if len(branches) > 1 else "one file is needed",
            where=files,
            expected=f"a file for each of: {', '.join(branches)}",
            fix=f"--checkpoint METHOD={wanted}",
        )
    checkpoints = {name: read(files[name]) for name in branches}
    for name, branch in branches.items():
        _check_scale(checkpoints[name], name, scales[name])
        fill(branch, checkpoints[name], f"the {name.upper()} network of {type(branch).__name__}")
    if len(branches) > 1:
        _check_pair(branches["hr"], branches["lr"], checkpoints)
    records = [checkpoint.weights for checkpoint in checkpoints.values()]
    packaged = all(record.origin == "packaged" for record in records)
    return Weights(
        "packaged" if packaged else "file",
        ",".join(str(record.path) for record in records),
        ",".join(str(record.sha256) for record in records),
        "; ".join(dict.fromkeys(record.note for record in records if record.note)) or None,
    )


def _check_scale(checkpoint: Checkpoint, branch: str, scale: float) -> None:
    """Refuse a network whose header says that it was trained at a different scale, which shapes do not reveal."""
    try:
        spec = parse(str(checkpoint.trained["method"]))
    except (KeyError, UserError):
        return
    trained = spec.get("scale", _SCALES.get(spec.name))
    if spec.name == "arseg" and branch == "hr":  # only the LR network of the pair sees smaller frames
        trained = 1.0
    if isinstance(trained, int | float) and trained != scale:
        raise UserError(
            f"was trained for {spec}, on frames of scale {trained:g}",
            where=checkpoint.path,
            expected=f"weights for scale {scale:g}",
            fix=f"set scale={trained:g} in the spec, or pass another file",
        )


def _check_pair(hr: Branch, lr: Branch, checkpoints: Mapping[str, Checkpoint]) -> None:
    """Refuse files from different trainings: the LR network learns with the HR network's classifier and keeps it."""
    pairs = zip(hr.classifier.parameters(), lr.classifier.parameters(), strict=True)
    if all(torch.allclose(one, other, rtol=0.01, atol=0.001) for one, other in pairs):  # float16 and float32 of one
        return
    said = [f"{name}: {told(file) or 'no header'}" for name, file in checkpoints.items()]
    raise UserError(
        "the two networks are not from the same training run: their classifiers differ",
        where=", ".join(str(file.path) for file in checkpoints.values()),
        expected=f"the LR network that was trained with this HR network ({'; '.join(said)})",
    )


def fill(branch: Branch, checkpoint: Checkpoint, expected: str) -> None:
    """Fill a branch from a file in the official layout or in ours; on a misfit raise UserError and change nothing."""
    if "final_conv.weight" not in checkpoint.tensors:
        return load_strict(branch, checkpoint, expected=f"{expected}, in the official layout or in ours")
    layout = LAYOUTS[type(branch)]
    tensors = dict(checkpoint.tensors)
    for name in checkpoint.tensors:
        second = next((prefix for prefix in layout.aliases if name.startswith(prefix)), None)
        if second is not None:
            first = layout.aliases[second] + name.removeprefix(second)
            if first in tensors and not torch.equal(tensors[first], tensors[name]):
                raise UserError(
                    f"{name} and {first} differ", where=checkpoint.path, expected="one layer under two names"
                )
            tensors.pop(name)
        elif name.startswith(CREFF) and branch.creff is None and isinstance(branch, PSPCityscapes):
            tensors.pop(name)  # this official HR network contains a fusion module that it never uses
    return load_strict(branch, replace(checkpoint, tensors=tensors), layout.official, expected)
