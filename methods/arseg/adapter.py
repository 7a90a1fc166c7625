"""AR-Seg behind the adapter: the HR network on key frames, the LR network and CReFF on the frames between."""

from __future__ import annotations

import torch
from torch import Tensor

from vssbench.deploy.graphs import Graphs
from vssbench.errors import UserError
from vssbench.methods.arseg import weights
from vssbench.methods.arseg.common import Base, Input, Output, Size, scaled
from vssbench.methods.arseg.creff import plain_local_attention
from vssbench.methods.arseg.graphs import graphs
from vssbench.methods.arseg.network import Backbone, Costed, FusedFrame, WholeFrame, build
from vssbench.methods.arseg.warp import Form, plain_warp
from vssbench.methods.arseg.warp import resize as resized
from vssbench.networks.numerics import Dtype, running
from vssbench.networks.per_frame import Counted
from vssbench.types import Frame, Kind, LabelSpace


class ArSeg(Base):
    """AR-Seg (Hu et al., Efficient Semantic Segmentation by Altering Resolutions for Compressed Videos, CVPR 2023).

    labels:    label space: a dataset's name or a file (or a LabelSpace); sets the number of classes, PSPNet's form and
               the normalisation (see network.py)
    mapping:   as in mask2former
    backbone:  tiny by default on synthetic video, otherwise psp18
    scale:     scale at which the frames between key frames are seen
    gop:       key-frame interval requested from our encoder. The method follows the video: a frame without
               side["motion"] (float32[H, W, 2] to the key frame, in pixels, x first) is a key frame and starts a group
    warp:      "official" reproduces the published code's border behaviour, "consistent" fixes it
    auxiliary: run the training heads on key frames, as the official forward does; the output does not change
    resize:    none; frames are always used at their own size
    dtype, compile: as in mask2former
    checkpoint: {"hr": file, "lr": file}, in the official layout (.pth) or ours (.safetensors); None: random weights,
                the same every time (`load_method` passes the packaged files if any)
    """

    name = "arseg"
    needs = frozenset({"motion"})

    def __init__(
        self,
        labels: str | LabelSpace = "synthetic",
        backbone: Backbone | None = None,
        scale: float = 0.5,
        gop: int = 12,
        warp: Form = "official",
        auxiliary: bool = True,
        resize: None = None,
        mapping: str | None = None,
        dtype: Dtype = "float32",
        compile: bool = False,
        device: str = "cpu",
        checkpoint: weights.Files | None = None,
    ):
        super().__init__(backbone, labels, scale, device, dtype, compile, checkpoint, mapping)
        if gop < 1:
            raise UserError(f"gop={gop} is not valid", expected="1 or more")
        self.gop, self.warp = gop, warp
        hr = build(self.backbone, self.learned, "hr")
        lr = build(self.backbone, self.learned, "lr", fused=True)
        lr.classifier.load_state_dict(hr.classifier.state_dict())
        self.weights = weights.load({"hr": hr, "lr": lr}, checkpoint, {"hr": 1.0, "lr": scale})
        self.hr, self.lr = hr, lr
        self._key, self._nonkey = WholeFrame(hr, auxiliary), FusedFrame(lr, warp)
        self._run_key, self._run_nonkey = (
            self.numerics.compiled(self.numerics.place(core)) for core in (self._key, self._nonkey)
        )
        self.reset()

    def reset(self) -> None:
        self._reference: tuple[Tensor, Size] | None = None
        self._age = 0

    def prepare(self, frame: Frame) -> Input:
        size, motion = frame.image.shape[:2], frame.side.get("motion")
        if motion is None:
            return Input(self.image(frame, 1.0), None, size)
        if motion.shape != (*size, 2):
            raise UserError(f"motion is {list(motion.shape)}", where=frame.stem, expected=f"float32{[*size, 2]}")
        vectors = torch.tensor(motion, dtype=torch.float32).to(self.device).permute(2, 0, 1).unsqueeze(0)
        return Input(self.image(frame, self.scale), vectors, size)

    @running
    def step(self, x: Input) -> Output:
        if x.motion is None:
            scores, feature, *_ = self._run_key(x.image)
            # Every frame of the group reads whole vectors from it.
            self._reference, self._age = (feature.contiguous(memory_format=torch.channels_last), x.size), 0
            return Output(scores, self._key.branch, x.size, "key", 0)
        if self._reference is None or self._reference[1] != x.size:
            raise UserError(
                "a frame with motion follows no key frame of its size",
                expected='a first frame without side["motion"], and one size in a clip',
            )
        self._age += 1
        scores, _ = self._run_nonkey(x.image, self._reference[0], x.motion)
        return Output(scores, self._nonkey.branch, x.size, "nonkey", self._age)

    def cost_module(self, kind: Kind, size: Size) -> Counted:
        """Return what step and decode compute up to the class scores for a frame of that size (H, W), and its inputs.

        The attention is computed as defined (49 keys per pixel), so that counting matrix products gives the method's
        cost; the fast form that `step` runs also multiplies masked keys.
        """
        self.check_kind(kind)
        image = torch.zeros(1, 3, *size, device=self.device)
        if kind == "key":
            return Costed(self._key, size).eval(), (image,)
        plain = FusedFrame(self._nonkey.branch, self._nonkey.form, plain_warp, plain_local_attention)
        grid = self._key.branch.grid(size)
        reference = torch.zeros(1, self._key.branch.channels, *grid, device=self.device)
        motion = torch.zeros(1, 2, *size, device=self.device)
        return Costed(plain, size).eval(), (resized(image, scaled(size, self.scale)), reference, motion)

    def graphs(self, size: Size) -> Graphs:
        """See `vssbench.deploy.graphs.HasGraphs`."""
        small = self.picture(size, self.scale)
        return graphs(self.hr, self.lr, self.warp, {"image": self.picture(size, 1.0), "small": small}, size, self.gop)

    def parameter_counts(self) -> dict[str, int]:
        """Count the parameters of both networks and of each, including training heads (the published convention)."""
        hr, lr = (sum(p.numel() for p in core.branch.parameters()) for core in (self._key, self._nonkey))
        return {"all": hr + lr, "hr": hr, "lr": lr}
