"""The two networks of AR-Seg and what each does with a frame (CVPR 2023, section 3)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch.nn.functional as F
from torch import Tensor, nn

from vssbench.datasets.label_spaces import suite_name
from vssbench.methods.arseg.bisenet import BiSeNet
from vssbench.methods.arseg.creff import Attend, CReFF, local_attention
from vssbench.methods.arseg.layers import Branch
from vssbench.methods.arseg.pspnet import PSPCamVid, PSPCityscapes, tiny
from vssbench.methods.arseg.warp import Form, motion_on, warp
from vssbench.networks.checkpoints import seeded
from vssbench.types import LabelSpace

Backbone = Literal["tiny", "psp18", "bise18"]
Statistics = tuple[tuple[float, float, float], tuple[float, float, float]]

CAMVID: Statistics = (0.39068785, 0.40521392, 0.41434407), (0.29652068, 0.30514979, 0.30080369)
CITYSCAPES: dict[Backbone, Statistics] = {
    "psp18": ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    "bise18": ((0.3257, 0.3690, 0.3223), (0.2112, 0.2148, 0.2115)),
}


def normalisation(backbone: Backbone, space: LabelSpace) -> Statistics:
    """Return (mean, standard deviation) of RGB in 0..1: Cityscapes' for that label space, CamVid's for every other."""
    return CITYSCAPES.get(backbone, CAMVID) if suite_name(space) == "cityscapes" else CAMVID


def byte_statistics(backbone: Backbone, space: LabelSpace) -> Statistics:
    """Return the same on the 0..255 scale."""
    mean, std = ((255 * r, 255 * g, 255 * b) for r, g, b in normalisation(backbone, space))
    return mean, std


def build(backbone: Backbone, space: LabelSpace, role: Literal["hr", "lr"], fused: bool = False) -> Branch:
    """Return a branch in evaluation mode, with the same random weights every time.

    PSPNet takes its Cityscapes form for that label space and its CamVid form for every other. fused: with CReFF
    """
    classes = space.classes
    with seeded(f"arseg {backbone} {space.name} {role}"):
        if backbone == "tiny":
            branch: Branch = tiny(classes)
        elif backbone == "bise18":
            branch = BiSeNet(classes)
        else:
            branch = PSPCityscapes(classes) if suite_name(space) == "cityscapes" else PSPCamVid(classes)
        if fused:
            branch.creff = CReFF(branch.channels)
    return branch.eval()


class WholeFrame(nn.Module):
    """The HR branch on a key frame, or one network alone on any frame."""

    def __init__(self, branch: Branch, auxiliary: bool):
        super().__init__()
        self.branch, self.auxiliary = branch, auxiliary

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        """Take float[1, 3, H, W]; return scores[1, classes, h, w], feature[1, C, h, w], training heads' outputs."""
        feature, inner = self.branch.feature(image)
        heads = self.branch.auxiliary(inner, image.shape[-2:]) if self.auxiliary else ()
        return self.branch.classifier(feature), feature, *heads


class FusedFrame(nn.Module):
    """The LR branch on a frame between key frames, scaled down, fused with the key frame's warped feature.

    carry, attend: alternative forms of warping and attention, with the same results
    """

    def __init__(
        self, branch: Branch, form: Form, carry: Callable[..., Tensor] = warp, attend: Attend = local_attention
    ):
        super().__init__()
        self.branch, self.form, self.carry, self.attend = branch, form, carry, attend

    def forward(self, image: Tensor, reference: Tensor, motion: Tensor) -> tuple[Tensor, ...]:
        """Return scores, float[1, classes, h, w], and the fused feature, float[1, C, h, w].

        image:     float[1, 3, s H, s W], normalised
        reference: float[1, C, h, w], the key frame's feature
        motion:    float[1, 2, H, W] to the key frame, in pixels, x first
        """
        assert self.branch.creff is not None
        feature, _ = self.branch.feature(image)
        warped = self.carry(reference, motion_on(reference.shape[-2:], motion), self.form)
        fused = self.branch.creff(warped, feature, self.attend)
        return classify(self.branch.classifier, fused), fused


def classify(classifier: nn.Conv2d, feature: Tensor) -> Tensor:
    """Apply the 1x1 convolution as a matrix product: on a CPU, ten times as fast for a channels-last feature."""
    scores = F.linear(feature.permute(0, 2, 3, 1), classifier.weight.flatten(1), classifier.bias)
    return scores.permute(0, 3, 1, 2)


class Costed(nn.Module):
    """What step and decode compute before the argmax: a frame up to the class scores at its size."""

    core: WholeFrame | FusedFrame

    def __init__(self, core: Any, size: tuple[int, int]):
        super().__init__()
        self.core, self.size = core, size

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        scores, _, *heads = self.core(*inputs)
        return self.core.branch.finish(scores, self.size), *heads
