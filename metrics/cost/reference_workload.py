"""A fixed piece of work, timed along with the methods: how fast is this machine right now?

A time divided by that of the reference workload can be compared between moments at which a machine was slower or
faster, and less well between machines. The workload does on small tensors what segmentation networks do: convolutions,
a matrix product, attention with its softmax, a normalisation and an activation, bilinear upsampling and argmax. It
takes about two milliseconds on one processor core. It never changes: that would make every speed baseline worthless.
"""

from __future__ import annotations

from collections.abc import Callable


def reference_workload(device: str) -> Callable[[], None]:
    """Return a function that does the work once, in float32 on that device, with the threads that torch has there."""
    import torch
    from torch.nn import functional as F

    generator = torch.Generator().manual_seed(0)

    def tensor(*shape: int) -> torch.Tensor:
        return (torch.rand(*shape, generator=generator) - 0.5).to(device)

    image, kernel = tensor(1, 32, 16, 28), tensor(32, 32, 3, 3)
    rows, matrix = tensor(16, 768), tensor(768, 768)
    queries, features, scores = tensor(4, 192, 32), tensor(1, 32, 32, 56), tensor(1, 11, 12, 20)

    @torch.inference_mode()
    def work() -> None:
        F.conv2d(F.conv2d(image, kernel, padding=1), kernel, padding=1)
        rows @ matrix
        F.softmax(queries @ queries.mT, dim=-1) @ queries
        F.layer_norm(F.gelu(features), features.shape[1:])
        F.interpolate(scores, size=(48, 80), mode="bilinear", align_corners=False).argmax(dim=1)

    return work
