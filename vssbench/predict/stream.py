"""Run a method over video without labels: write label PNGs, overlays, a video. Nothing is scored; memory stays flat.

    <output>/<clip>/<stem>.png              train ids from 0 with the label space's palette; `vssbench score` reads them
    <output>/overlays/<clip>/<stem>.jpg     the classes over the frame, with a legend

Every finished frame is on disk before the next one starts, and stays there whatever happens later.
"""

from __future__ import annotations

import io
import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from inspect import signature
from itertools import islice
from pathlib import Path
from time import perf_counter
from typing import Any
from uuid import uuid4

import cv2
from PIL import Image

from vssbench import registry
from vssbench.bench.clip import ahead, check_prediction, run_frame
from vssbench.datasets.label_spaces import load_space, spaces
from vssbench.errors import UserError
from vssbench.files.atomic import PART
from vssbench.hooks import inner, side, weights
from vssbench.load import Checkpoint, Context, innermost
from vssbench.networks.class_mapping import MODEL, trained_for
from vssbench.predict.pictures import overlay, palette
from vssbench.specs import Spec, walk
from vssbench.types import KINDS, PHASES, Dataset, Frame, LabelSpace, Method, Prediction, Weights

OVERLAYS = "overlays"
JPEG_QUALITY = 92
Output = Callable[[Frame, Prediction], None]


@dataclass
class Tally:
    """The progress so far.

    clips:   clip -> frames predicted and written
    kinds:   frame kind -> how often it ran
    seconds: of prepare, step, decode (the method) and write (all outputs)
    """

    clips: Counter[str] = field(default_factory=Counter)
    kinds: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=lambda: dict.fromkeys((*PHASES, "write"), 0.0))

    @property
    def frames(self) -> int:
        return self.clips.total()

    def all_kinds(self) -> dict[str, int | None]:
        """Return every kind with its count, None for a kind that never occurred."""
        return {kind: self.kinds.get(kind) for kind in KINDS}


def predict(
    method: Method,
    dataset: Dataset,
    outputs: Sequence[Output],
    tally: Tally,
    limit: int | None = None,
    tick: Callable[[str], None] = lambda clip: None,
) -> None:
    """Stream every clip through the method and pass each prediction to every output; `tally` is updated.

    limit: stop after this many frames in total;  tick: called with the clip's name after each frame
    Raises UserError for anything that cannot be read, predicted or written.
    """
    for clip in dataset.clips():
        if tally.frames == limit:
            return
        method.reset()
        with closing(ahead(dataset.frames(clip))) as frames:
            for frame in islice(frames, None if limit is None else limit - tally.frames):
                prediction, spent = run_frame(method, frame)
                check_prediction(method, frame, prediction, dataset.space.classes)
                start = perf_counter()
                for write in outputs:
                    write(frame, prediction)
                for phase, seconds in zip(tally.seconds, (*spent, perf_counter() - start), strict=True):
                    tally.seconds[phase] += seconds
                tally.kinds[prediction.kind] += 1
                tally.clips[clip] += 1
                tick(clip)
        if not tally.clips[clip]:
            raise UserError(f"the clip {clip!r} has no frames", expected="at least one frame that can be decoded")


def label_space(method: Spec, asked: str | None, files: Mapping[str, Checkpoint]) -> LabelSpace | None:
    """Return the classes that the spec or an inner method names with `labels=`, else those asked for or of the weights.

    files: as in `Context.checkpoints`
    Returns None for classes that the network itself names; `own_classes` returns them once it is loaded.
    """
    named = {str(value) for spec in walk(method) if (value := spec.get("labels")) is not None}
    if asked is not None:
        named.add(asked)
    if len(named) > 1:
        raise UserError(f"two label spaces: {' and '.join(sorted(named))}", where=str(method), expected="one")
    if named and named != {MODEL}:
        return load_space(named.pop())
    network = innermost(method)
    trained = trained_for(Context(checkpoints=files).checkpoint(network))
    if trained is not None:
        return trained
    labels = signature(registry.resolve("methods", network.name)).parameters.get("labels")
    if labels is not None and labels.default == MODEL:
        return None
    raise UserError(
        f"which classes does {method} predict? Frames without labels do not say, nor do its weights",
        expected=f"a label space: {', '.join(spaces())}, or a file",
        fix=f"--labels {spaces()[0]}, or --labels FILE.yaml",
    )


def own_classes(method: Method) -> LabelSpace:
    """Return the classes of the innermost network itself, for a method that was loaded without other classes."""
    wrapped = inner(method)
    if wrapped is not None:
        return own_classes(wrapped)
    space = getattr(method, "space", None)
    if not isinstance(space, LabelSpace):
        raise UserError("does not say which classes it predicts", where=method.name, expected="a `space` attribute")
    return space


def check_method(method: Method, spec: Spec, dataset: Dataset, allow_untrained: bool) -> Weights:
    """Return the method's weights. Raises UserError if it has none, or needs what plain frames do not provide."""
    missing = sorted(set(method.needs) - side(dataset))
    if missing:
        raise UserError(
            f"{spec} needs {' and '.join(missing)}, which plain frames do not provide",
            expected="a method that sees images only",
            fix=f"use a dataset that provides them: vssbench run --methods '{spec}' --dataset NAME --data-root DIR",
        )
    found = weights(method)
    if found.origin == "untrained" and not allow_untrained:
        name = [inner.name for inner in walk(spec)][-1]
        source = registry.find("methods", name).weights or f"--checkpoint {name}=FILE"
        raise UserError(
            f"{spec} has no weights: its predictions would be noise",
            fix=f"{source}; or --allow-untrained to see the noise",
        )
    return found


class LabelFiles:
    """Writes `<root>/<clip>/<stem>.png`: 8-bit palette PNGs whose pixel values are train ids."""

    def __init__(self, root: Path, space: LabelSpace):
        self.root = root
        self._palette = palette(space).tobytes()

    def __call__(self, frame: Frame, prediction: Prediction) -> None:
        picture, data = Image.fromarray(prediction.labels), io.BytesIO()
        picture.putpalette(self._palette)
        picture.save(data, "PNG", bits=8)
        write_file(path_of(self.root, frame, ".png"), data.getbuffer())


class OverlayFiles:
    """Writes `<root>/overlays/<clip>/<stem>.jpg`."""

    def __init__(self, root: Path, space: LabelSpace):
        self.root, self.space = root / OVERLAYS, space

    def __call__(self, frame: Frame, prediction: Prediction) -> None:
        path = path_of(self.root, frame, ".jpg")
        bgr = cv2.cvtColor(overlay(frame, prediction, self.space), cv2.COLOR_RGB2BGR)
        done, data = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
        if not done:
            raise UserError("cannot be encoded as JPEG", where=path)
        write_file(path, data.data)


def check_names(clips: Sequence[str], overlays: bool) -> None:
    """Raise UserError for a clip whose name would not lead to a folder of its own."""
    for clip in clips:
        _plain(clip, "a clip")
        if overlays and clip == OVERLAYS:
            raise UserError(f"a clip is named {clip!r}, like the folder of the overlays", fix="rename the clip")


def path_of(root: Path, frame: Frame, suffix: str) -> Path:
    """Return `<root>/<clip>/<stem><suffix>`. Raises UserError for names that would lead elsewhere."""
    return root / _plain(frame.clip, "a clip") / (_plain(frame.stem, "a frame") + suffix)


def _plain(name: str, what: str) -> str:
    if name in ("", ".", "..") or "/" in name or "\0" in name or os.sep in name:
        raise UserError(f"{what} has the name {name!r}, which cannot be a file name", fix="rename it")
    return name


def write_file(path: Path, data: Any) -> None:
    """Write the whole file or nothing, so that every frame on disk is complete."""
    part = path.with_name(f".{uuid4().hex}{PART}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            part.write_bytes(data)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise cannot_write(path, error) from None


def cannot_write(path: Path, error: Exception) -> UserError:
    """Return the common error for a full disk, a folder without permission and the like."""
    reason = getattr(error, "strerror", None) or str(error)
    return UserError(f"cannot be written: {reason}", where=path, fix="fix the cause; frames already written stay")
