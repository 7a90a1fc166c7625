"""A method with a network, and a wrapper: with all that they may offer beyond the protocol (see vssbench.hooks)."""

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
        self.classes = load_space(labels).classes  # the classes of whatever it is run on
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)  # the same random weights each time
            layers = nn.Conv2d(3, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, self.classes, 1)
        self.network = nn.Sequential(*layers).to(device).eval()
        self.weights = Weights("untrained")
        if checkpoint is not None:
            self.network.load_state_dict(torch.load(checkpoint, weights_only=True, map_location=device))
            self.weights = Weights("file", str(checkpoint))  # its hash is added

    def reset(self):
        """Nothing to forget."""

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
        """What a frame of that size computes, and its input."""
        if kind != "key":
            raise UserError(f"tinynet has no {kind} frames")
        return self.network, (torch.zeros(1, 3, *size, device=self.device),)


class Smoothed(Wrapper):
    """A moving average of another method's class scores over the frames of a clip.

    keep: share of the average that stays
    """

    runs_inner = "every"  # it costs what that method costs

    def __init__(self, of, context, keep: float = 0.5):
        super().__init__(of, context)
        self.keep, self.scores_of = keep, hooks.offered(self.inner, "scores")
        if self.scores_of is None:
            raise UserError(f"{self.inner.name} has no scores to average")

    def reset(self):
        super().reset()
        self.mean = None

    def prepare(self, frame):
        return self.inner.prepare(frame)

    def step(self, x):
        return self.inner.step(x)

    def decode(self, y):
        prediction, scores = self.inner.decode(y), self.scores_of(y)
        self.mean = scores if self.mean is None else self.keep * self.mean + (1 - self.keep) * scores
        return Prediction(self.mean.argmax(axis=0).astype(np.uint8), prediction.kind, prediction.age)
