"""mmsegmentation's networks behind the adapter, with the library's own pipeline, network and class map."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from vssbench.deploy.graphs import Graphs, per_frame
from vssbench.deploy.model_file import FromScores, Upsample
from vssbench.errors import UserError
from vssbench.methods.mmseg import config_reader as configs
from vssbench.methods.mmseg import library
from vssbench.methods.mmseg.graphs import Reordered, picture_of
from vssbench.networks.checkpoints import load_strict, read
from vssbench.networks.class_mapping import MODEL, foreign_classes
from vssbench.networks.numerics import Dtype, running
from vssbench.networks.per_frame import Counted, PerFrame
from vssbench.types import Frame, LabelSpace, Weights


class Batch(NamedTuple):
    """image: float32[1, 3, h, w], normalised and padded; sample: the library's record of sizes and padding."""

    image: Tensor
    sample: Any


class Output(NamedTuple):
    """logits: float[1, C, h, w] at the size of the network's input; sample: as in `Batch`."""

    logits: Tensor
    sample: Any


class MMSeg(PerFrame):
    """A config of mmsegmentation 1.x and its checkpoint on every frame by itself.

    The config's test pipeline resizes, its data preprocessor normalises and pads, its test_cfg sets the inference
    (whole or sliding): the result is that of the library's `inference_model`, to the digit.

    config:     name of a config that comes with the library ("segformer_mit-b0_8xb2-160k_ade20k-512x512"), or a file;
                it is read, not run (see `vssbench.methods.mmseg.config_reader`)
    labels:     label space; the network's classes count by equal names, or as `mapping` says. "model": its own
    mapping:    file as `vssbench.networks.mapping_file` describes it
    dtype, compile: as in mask2former
    checkpoint: .pth as mmengine writes it, or our .safetensors; None: random weights, the same every time
    Raises UserError for what does not fit, MissingExtra without mmsegmentation.
    """

    name = "mmseg"

    def __init__(
        self,
        config: str,
        labels: str | LabelSpace = MODEL,
        *,
        mapping: str | None = None,
        dtype: Dtype = "float32",
        compile: bool = False,
        device: str = "cpu",
        checkpoint: str | Path | None = None,
    ):
        path = configs.find(config)
        data = configs.read(path)
        library.load()
        network = library.build_network(configs.entry(data, "model", path), path)
        self.pipeline = library.build_pipeline(configs.entry(data, "test_pipeline", path), path)
        loader = data.get("test_dataloader")
        dataset = loader.get("dataset") if isinstance(loader, dict) else None
        names = library.class_names(dataset, network.out_channels)
        self._names = tuple(names)
        classes = foreign_classes(names, labels, mapping, config, path.stem)
        super().__init__(classes.space, device, dtype, compile)
        self.network, self.groups, self.weights = network, classes.groups, classes.noted(Weights("untrained"))
        if checkpoint is not None:
            given = read(checkpoint)
            load_strict(self.network, given, expected=f"weights of the network of {path.name}")
            self.weights = classes.noted(given.weights)
        self.network.auxiliary_head = None  # runs only in training
        self.network.to(self.device)
        self._run = self.numerics.compiled(self.network.inference)

    def prepare(self, frame: Frame) -> Batch:
        packed = self.pipeline({"img": np.ascontiguousarray(frame.image[..., ::-1])})
        data = {"inputs": [packed["inputs"]], "data_samples": [packed["data_samples"]]}
        data = self.network.data_preprocessor(data, False)
        return Batch(data["inputs"], data["data_samples"][0])

    @running
    def step(self, x: Batch) -> Output:
        return Output(self._run(x.image, [dict(x.sample.metainfo)]), x.sample)

    def class_scores(self, y: Output) -> Tensor:
        return class_scores(self.network, y.logits, y.sample)

    def graphs(self, size: tuple[int, int]) -> Graphs:
        if self.network.test_cfg.get("mode") == "slide":
            raise UserError(
                "its test_cfg cuts a frame into tiles (mode slide), which a graph cannot loop over",
                where=self.name,
                fix='a config with test_cfg = dict(mode="whole")',
            )
        noise = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
        image, sample = self.prepare(Frame("", 0, noise))
        preprocessor = self.network.data_preprocessor
        picture = picture_of(preprocessor, noise, image, tuple(sample.metainfo["img_shape"]), self.name)
        module = Reordered(KeyCost(self.network, sample), bgr=not preprocessor.channel_conversion)
        return per_frame(picture, module, image, FromScores(steps=(Upsample(size=size, kept=size),)))

    @property
    def own_classes(self) -> tuple[str, ...]:
        return self._names

    def frame_cost(self, network: nn.Module, size: tuple[int, int], device: torch.device) -> Counted:
        image, sample = self.prepare(Frame("", 0, np.zeros((*size, 3), np.uint8)))
        return KeyCost(network, sample), (image.to(device),)


class KeyCost(nn.Module):
    """A frame from the network's input to class scores, float[C, H, W]."""

    def __init__(self, network: nn.Module, sample: Any):
        super().__init__()
        self.network, self.sample = network, sample

    def forward(self, image: Tensor) -> Tensor:
        network: Any = self.network
        return class_scores(network, network.inference(image, [dict(self.sample.metainfo)]), self.sample)


def class_scores(network: Any, logits: Tensor, sample: Any) -> Tensor:
    """Return float[K, H, W] by the network's classes: without the padding, resized to the frame by the library."""
    (found,) = network.postprocess_result(logits, [sample.clone()])
    scores: Tensor = found.seg_logits.data
    return scores
