"""Models of transformers behind the adapter, with the library's own image processor, network and class map."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from vssbench.deploy.graphs import Graphs, per_frame
from vssbench.deploy.model_file import FromScores, Upsample
from vssbench.methods.huggingface import model_folder
from vssbench.methods.huggingface.graphs import Batched, LogitsGraph, picture_of
from vssbench.networks.class_mapping import MODEL, foreign_classes
from vssbench.networks.numerics import Dtype, running
from vssbench.networks.per_frame import Counted, PerFrame
from vssbench.networks.upsampling import Step, upsampled
from vssbench.types import Frame, LabelSpace


class Input(NamedTuple):
    """arguments: the network's, by name; size: (H, W) of the frame."""

    arguments: dict[str, Any]
    size: tuple[int, int]


class Output(NamedTuple):
    """outputs: the library's record of the network's outputs; size: (H, W) of the frame."""

    outputs: Any
    size: tuple[int, int]


class HuggingFace(PerFrame):
    """A semantic or universal segmentation model of transformers on each frame on its own.

    The model's image processor (its PIL variant) resizes and normalises, and its `post_process_semantic_segmentation`
    makes the class map: the result is exactly the library's.

    model:      folder written by save_pretrained (network and image processor), or an id on the hub
    labels:     label space; the model's classes are matched by name, or as `mapping` says. "model": the model's own
    mapping:    file as `vssbench.networks.mapping_file` describes it
    revision:   branch, tag or commit of a hub id
    dtype, compile: as in mask2former
    checkpoint: weights in place of the model's own: a folder, .safetensors or .bin
    Without weights in the folder, they are random, the same every time. Raises UserError for anything that does not
    fit. Code that comes with a model is never run.
    """

    name = "huggingface"

    def __init__(
        self,
        model: str,
        labels: str | LabelSpace = MODEL,
        *,
        mapping: str | None = None,
        revision: str | None = None,
        dtype: Dtype = "float32",
        compile: bool = False,
        device: str = "cpu",
        checkpoint: str | Path | None = None,
    ):
        folder = model_folder.find(model, revision)
        self.config = model_folder.configuration(folder)
        names = [str(self.config.id2label[number]) for number in sorted(self.config.id2label)]
        self._names = tuple(names)
        classes = foreign_classes(names, labels, mapping, model, Path(model).name)
        super().__init__(classes.space, device, dtype, compile)
        self.groups = classes.groups
        self.processor = model_folder.image_processor(folder)
        network = model_folder.build(self.config, model)
        self.weights = classes.noted(model_folder.fill(network, folder, checkpoint))
        self.network = model_folder.without_training_heads(network).to(self.device)
        self._run = self.numerics.compiled(self.network)

    def prepare(self, frame: Frame) -> Input:
        height, width = frame.image.shape[:2]
        image = np.ascontiguousarray(frame.image)
        arguments = self.processor(images=image, input_data_format="channels_last", return_tensors="pt")
        return Input(dict(arguments.to(self.device)), (height, width))

    @running
    def step(self, x: Input) -> Output:
        return Output(self._run(**x.arguments), x.size)

    def class_scores(self, y: Output) -> Tensor:
        return class_scores(self.processor, y.outputs, y.size)

    def graphs(self, size: tuple[int, int]) -> Graphs:
        noise = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
        arguments, _ = self.prepare(Frame("", 0, noise))
        picture = picture_of(self.processor, noise, arguments, self.name)
        with torch.no_grad():
            outputs = self.network(**arguments)
            scores = class_scores(self.processor, outputs, size)
        pixels, logits = arguments.pop("pixel_values"), getattr(outputs, "logits", None)
        step = Step(size, size)
        if logits is not None and torch.equal(upsampled(logits[0], step), scores):  # faster, same result
            module: nn.Module = LogitsGraph(self.network, arguments)
        else:
            module = Batched(KeyCost(self.network, self.processor, arguments, size))
        return per_frame(picture, module, pixels, FromScores(steps=(Upsample(size=size, kept=size),)))

    @property
    def own_classes(self) -> tuple[str, ...]:
        return self._names

    def frame_cost(self, network: nn.Module, size: tuple[int, int], device: torch.device) -> Counted:
        arguments, _ = self.prepare(Frame("", 0, np.zeros((*size, 3), np.uint8)))
        pixels = arguments.pop("pixel_values")
        return KeyCost(network, self.processor, arguments, size), (pixels.to(device),)


class KeyCost(nn.Module):
    """A frame from the network's input to class scores, float[C, H, W]."""

    def __init__(self, network: nn.Module, processor: Any, arguments: dict[str, Any], size: tuple[int, int]):
        super().__init__()
        self.network, self.processor, self.arguments, self.size = network, processor, arguments, size

    def forward(self, pixels: Tensor) -> Tensor:
        rest = {k: v.to(pixels.device) if isinstance(v, Tensor) else v for k, v in self.arguments.items()}
        return class_scores(self.processor, self.network(pixels, **rest), self.size)


def class_scores(processor: Any, outputs: Any, size: tuple[int, int]) -> Tensor:
    """Return float[K, H, W] for the network's classes, as the library resizes and sums them."""
    (found,) = processor.post_process_semantic_segmentation(
        outputs, target_sizes=[size], return_segmentation_scores=True
    )
    scores: Tensor = found["segmentation_scores"]
    return scores
