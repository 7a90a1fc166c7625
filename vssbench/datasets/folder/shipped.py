"""The descriptions that ship with the package (descriptions/*.yaml), each a dataset named after its file."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import ClassVar

from vssbench.datasets.folder.dataset import USUAL, Folder
from vssbench.datasets.folder.description import Description, read_description

DESCRIPTIONS = Path(__file__).with_name("descriptions")


class Shipped(Folder):
    """A dataset whose description ships with the package; `--data-root` says where the data are."""

    shipped: ClassVar[Description]

    def __init__(self, root: Path | None, split: str = USUAL):
        self.open(self.shipped, root, split)


@cache
def dataset(name: str) -> type[Shipped]:
    """The class for a shipped description, with its classes as `space`."""
    said = read_description(DESCRIPTIONS / f"{name}.yaml")
    layout = f"{said.images} and {said.labels}"
    return type(name, (Shipped,), {"shipped": said, "space": said.space, "layout": layout, "__module__": __name__})


def __getattr__(name: str) -> type[Shipped]:
    """Let the registry find each class by its dataset's name."""
    if not (DESCRIPTIONS / f"{name}.yaml").is_file():
        raise AttributeError(name)
    return dataset(name)
