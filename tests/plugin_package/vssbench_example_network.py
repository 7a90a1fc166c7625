"""A method with a network, and a wrapper, with their optional parts beyond the protocol (see vssbench.hooks)."""

import numpy as np
import torch
from torch import nn

from vssbench import Prediction, Weights, hooks
from vssbench.datasets.label_spaces import load_space
from vssbench.errors import UserError
from vssbench.wrapping import Wrapper


class TinyNet:
    """Two convolutions on every frame."""

    needs, lookahead = frozenset(), 0

    def __init__(self, labels="synthetic", width: int = 8, threads=None, device="cpu", checkpoint=None):
        self.name, self.device, self.threads = "tinynet", device, threads
        self.classes = load_space(labels).classes  # the classes of the data it is run on
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)  # the same random weights each time
            layers = nn.Conv2d(3, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, self.classes, 1)
        self.network = nn.Sequential(*layers).to(device).eval()
        self.weights = Weights("untrained")
        if checkpoint is not None:
            self.network.load_state_dict(torch.load(checkpoint, weights_only=True, map_location=device))
            self.weights = Weights("file", str(checkpoint))  # its hash is added

    def reset(self):
        """There is no state to clear."""

    def prepare(self, frame):
        return torch.tensor(frame.image, device=self.device).permute(2, 0, 1)[None] / 255

    @torch.inference_mode()
    def step(self, x):
        return self.network(x)[0]

    def decode(self, y):
        return Prediction(y.argmax(0).to(torch.uint8).cpu().numpy(), "key")

    def scores(self, y):
        """float32[C, H, W] at the frame's size, for wrappers."""
        return y.cpu().numpy()

    def cost_module(self, kind, size):
        """Return what a frame of that size computes, and its input."""
        if kind != "key":
            raise UserError(f"tinynet has no {kind} frames")
        return self.network, (torch.zeros(1, 3, *size, device=self.device),)


class Steady(Wrapper):
    """A pixel keeps its class within a clip until the score of a different class leads by more than a margin."""

    runs_inner = "every"  # it costs what the inner method costs

    def __init__(self, of, context, margin: float = 1.0):
        super().__init__(of, context)
        self.margin, self.scores_of = margin, hooks.offered(self.inner, "scores")
        if self.scores_of is None:
            raise UserError(f"{self.inner.name} has no scores to compare")

    def reset(self):
        super().reset()
        self.before = None

    def prepare(self, frame):
        return self.inner.prepare(frame)

    def step(self, x):
        return self.inner.step(x)

    def decode(self, y):
        prediction, scores = self.inner.decode(y), self.scores_of(y)
        labels = scores.argmax(axis=0)
        if self.before is not None:
            kept = np.take_along_axis(scores, self.before[None], axis=0)[0]
            labels = np.where(scores.max(axis=0) > kept + self.margin, labels, self.before)
        self.before = labels
        return Prediction(labels.astype(np.uint8), prediction.kind, prediction.age)
