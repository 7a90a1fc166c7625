"""What recipes share: where training starts, and how an example is made of pictures."""

from __future__ import annotations

import numpy as np
import pytest

from vssbench import Frame
from vssbench.datasets.label_spaces import load_space
from vssbench.errors import UserError
from vssbench.specs import parse
from vssbench.training.augment import Picture
from vssbench.training.job import find_recipe
from vssbench.training.recipe import Example, Order


@pytest.mark.parametrize(
    ("name", "network", "expected"),
    [
        ("espnet", "ESPNet", "one file"),
        ("tdnet", "TDNet", "one file"),
        ("mask2former", "Mask2Former", "one file or folder"),
        ("videomt", "VidEoMT", "one file or folder"),
        ("mrcfa", "mrcfa", "one file or folder"),
    ],
)
def test_several_files_for_one_network_are_refused(name: str, network: str, expected: str) -> None:
    with pytest.raises(UserError) as refused:
        find_recipe(parse(name))(Order(parse(name), load_space("synthetic"), start={"hr": "a.pth"}))
    assert refused.value.what == f"{network} has one network"
    assert refused.value.where == "--start {'hr': 'a.pth'}"
    assert refused.value.expected == expected


def test_example_has_every_picture_and_the_labels_that_there_are() -> None:
    images = np.arange(2 * 4 * 6 * 3, dtype=np.uint8).reshape(2, 4, 6, 3)
    labels = np.arange(24, dtype=np.uint8).reshape(4, 6)
    pictures = [Picture(images[0]), Picture(images[1], labels).flipped()]
    found = Example.of(pictures, "clip", [Frame("clip", 3, images[0], stem="a"), Frame("clip", 7, images[1], stem="b")])
    np.testing.assert_array_equal(found.images, [images[0], images[1, :, ::-1]])
    np.testing.assert_array_equal(found.labels, [labels[:, ::-1]])
    assert found.names == ("clip/a", "clip/b")
