"""Pictures made by the operations of `model.yaml` are those that the methods make."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from vssbench.deploy.pictures import Pictures
from vssbench.load import load_method
from vssbench.testing import random_clip

SIZE = (40, 58)
CASES: dict[tuple[str, str], Callable[[Any], Any]] = {
    ("mask2former", "image"): lambda x: x.image,
    ("mask2former(resize=60x90)", "image"): lambda x: x.image,
    ("mpvss(resize=30x44)", "flow"): lambda x: x.flow_image[None],
    ("mpvss(resize=60x90)", "flow"): lambda x: x.flow_image[None],  # enlarged: the area beyond the frame is blank
    ("mpvss", "flow"): lambda x: x.flow_image[None],
    ("espnet", "image"): lambda x: x.image.flip(1),
    ("espnet(resize=64x96)", "image"): lambda x: x.image.flip(1),
    ("espnetv2(resize=64x96)", "image"): lambda x: x.image,
    ("psp18", "image"): lambda x: x.image,
    ("psp18(scale=0.5)", "image"): lambda x: x.image,
    ("segformer", "image"): lambda x: x[0],
}


@pytest.mark.parametrize(("spec", "name"), CASES)
def test_pictures_equal_those_prepared_by_the_method(spec: str, name: str) -> None:
    method: Any = load_method(spec, checkpoint="untrained")
    (frame,) = random_clip(size=SIZE, length=1)
    pictures = method.graphs(SIZE).pictures
    found = Pictures(pictures).of(frame.image, [name])[name]
    np.testing.assert_allclose(found, CASES[spec, name](method.prepare(frame)).numpy(), atol=1e-5)
