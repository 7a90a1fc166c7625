"""mIoU of the method under training, measured as `vssbench run` measures it."""

from __future__ import annotations

from itertools import islice
from typing import Any

from vssbench.bench.clip import ahead, run_clip
from vssbench.datasets.codec import CodecSpec, Compressed
from vssbench.load import innermost
from vssbench.metrics.accuracy.evaluate import evaluate
from vssbench.metrics.accuracy.protocols import default_protocol
from vssbench.metrics.plan import plan
from vssbench.specs import Spec, parse
from vssbench.types import Dataset, Method

METRIC = "mIoU"


class Validation:
    """A method and the clips on which it is judged."""

    def __init__(self, method: Method, dataset: Dataset, codec: CodecSpec | None, limit: int | None):
        """codec: how frames are compressed, None: not at all; limit: how many clips to use, from the first on"""
        self.method, self.space = method, dataset.space
        self.source = dataset if codec is None else Compressed(dataset, codec)
        self.clips = list(islice(dataset.clips(), limit))
        self.protocol = default_protocol(innermost(parse(dataset.name)).name)

    def run(self) -> dict[str, Any]:
        """Return {"mIoU": percent or None, "protocol": name, "clips": how many}. Needs evaluation mode."""
        records = [
            run_clip(self.method, clip, ahead(self.source.frames(clip)), plan([METRIC], self.space), self.space.classes)
            for clip in self.clips
        ]
        found = evaluate(self.protocol, self.space, records, [Spec(METRIC)])
        return {METRIC: found.metrics[METRIC], "protocol": self.protocol, "clips": len(records)}
