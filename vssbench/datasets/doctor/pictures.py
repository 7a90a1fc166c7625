"""Pictures that show unknown values: the frame, dimmed, with the pixels of the value in magenta."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from vssbench.datasets.doctor.report import Occurrence, Report
from vssbench.datasets.on_disk import FileDataset
from vssbench.datasets.read_pixels import Meaningless, Value, read_image
from vssbench.errors import UserError
from vssbench.types import Dataset, UInt8

MARK, DIM = (255, 0, 255), 3
MOST = 20


def write(dataset: Dataset, report: Report, folder: Path) -> None:
    """Write one PNG per unknown value, for the first file with it, named after the value; at most 20.

    Raises UserError where the folder cannot be written.
    """
    if not isinstance(dataset, FileDataset):
        return
    for value, found in list(report.meaningless.items())[:MOST]:
        picture = _picture(dataset, value, found)
        if picture is None:
            continue
        path = (
            folder
            / f"{'colour' if isinstance(value, tuple) else 'value'}_{str(value).strip('()').replace(', ', '_')}.png"
        )
        try:
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(path)
        except OSError as error:
            raise UserError(f"cannot be written: {error.strerror or error}", where=path) from None
        found.picture = path


def _picture(dataset: FileDataset, value: Value, found: Occurrence) -> UInt8 | None:
    """uint8[H, W, 3]; None if the file has changed since."""
    try:
        dataset.read_label(found.file)
    except Meaningless as error:
        marked = error.marked(value)
    except UserError:
        return None
    else:
        return None
    picture = np.zeros((*marked.shape, 3), np.uint8)
    item = next((item for item in dataset.listing(found.clip).items if item.label == found.file), None)
    try:
        image = read_image(item.image) if item else picture
    except UserError:
        image = picture
    if image.shape == picture.shape:
        picture = image // DIM
    picture[marked] = MARK
    return picture
