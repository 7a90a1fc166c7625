"""Where the training of a branch starts: from a whole branch's file, or a ResNet-18 trunk in torchvision's layout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch

from vssbench.errors import UserError
from vssbench.methods.arseg.bisenet import BiSeNet
from vssbench.methods.arseg.layers import Branch, ResNet18
from vssbench.methods.arseg.weights import fill
from vssbench.networks.checkpoints import load_strict, read
from vssbench.specs import Spec
from vssbench.training.recipe import Start


def files(start: Start | None, branches: tuple[str, ...], spec: Spec) -> dict[str, Path]:
    """Return a file per branch; a single path is the HR network's."""
    if start is None:
        return {}
    if not isinstance(start, Mapping):
        return {"hr": Path(start)}
    if unknown := sorted(set(start) - set(branches)):
        raise UserError(f"--start names {', '.join(unknown)}", where=spec, expected=" or ".join(branches))
    return {branch: Path(path) for branch, path in start.items()}


def begin(branch: Branch, path: Path) -> None:
    """Fill the branch, or only its trunk if the file holds just a ResNet-18. Raises UserError on a misfit."""
    checkpoint = read(path)
    name = type(branch).__name__
    if "layer1.0.conv1.weight" in checkpoint.tensors and "final_conv.weight" not in checkpoint.tensors:
        tensors = {key: value for key, value in checkpoint.tensors.items() if not key.startswith("fc.")}
        expected = f"the ResNet-18 trunk of {name}, in torchvision's layout"
        return load_strict(trunk(branch), replace(checkpoint, tensors=tensors), expected=expected)
    return fill(branch, checkpoint, f"a whole {name}, in the official layout or in ours, or a ResNet-18")


def trunk(branch: Branch) -> ResNet18:
    """Return the branch's ResNet-18."""
    found = branch.context.backbone if isinstance(branch, BiSeNet) else branch.backbone
    assert isinstance(found, ResNet18)
    return found


def copy(source: Branch, target: Branch) -> None:
    """Fill the target with the source's weights; its fusion module, which the source lacks, stays as it is."""
    tensors = source.state_dict()
    with torch.no_grad():
        for name, tensor in target.state_dict().items():
            if name in tensors:
                tensor.copy_(tensors[name])
