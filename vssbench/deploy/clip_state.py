"""The state of one clip run through the graphs of `model.yaml`: which graph is next, and what earlier frames left."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from vssbench.deploy.model_file import FromOutput, FromPicture, FromSide, ModelFile

Array = np.ndarray[Any, Any]
Blank = Callable[[str], Array]
"""A function that returns zeros of the shape and dtype of the input with that name."""


class ClipState:
    """The outputs and pictures that the frames of a clip have left so far.

    number: of the next frame in the clip, counting the frames seen
    """

    def __init__(self, model: ModelFile):
        self._graphs = model.graphs
        sources = [one for graph in model.graphs.values() for one in graph.inputs.values()]
        left = [one for one in sources if isinstance(one, FromOutput)]
        self._of_key = {one.output for one in left if one.of == "key"}
        self._of_frames = {one.output for one in left if one.of != "key"}
        reach = [back for one in left for back in (one.of, *one.early.values()) if back != "key"]
        self._reach = max(map(int, reach), default=0)
        self.kept_pictures = {one.picture for one in sources if isinstance(one, FromPicture) and one.of == "key"}
        self.reset()

    def reset(self) -> None:
        """Forget the clip."""
        self.number = 0
        self._past: deque[dict[str, Array]] = deque(maxlen=self._reach)
        self._key: tuple[Mapping[str, Array], Mapping[str, Array]] = ({}, {})

    def graph(self, key: bool) -> str:
        """Return the graph that runs on the next frame. key: whether the schedule makes it a key frame"""
        return next(name for name, graph in self._graphs.items() if graph.when.holds(self.number, key))

    def inputs(
        self, graph: str, pictures: Mapping[str, Array], side: Mapping[str, Array], blank: Blank
    ) -> dict[str, Array]:
        """Return what the graph reads on the next frame, by the names of its inputs."""
        key_outputs, key_pictures = self._key
        found = {}
        for name, source in self._graphs[graph].inputs.items():
            if isinstance(source, FromPicture):
                found[name] = (pictures if source.of == "this" else key_pictures)[source.picture]
            elif isinstance(source, FromSide):
                found[name] = np.ascontiguousarray(side[source.side].transpose(2, 0, 1)[None], dtype=np.float32)
            elif source.of == "key":
                found[name] = key_outputs[source.output] if key_outputs else blank(name)
            else:
                back = source.early.get(self.number, source.of)
                past = back <= len(self._past)
                found[name] = self._past[-back][source.output] if past else blank(name)
        return found

    def leave(self, outputs: Mapping[str, Array], pictures: Mapping[str, Array], key: bool) -> None:
        """Store the results of a frame, and go on to the next one."""
        self._past.append({name: outputs[name] for name in self._of_frames if name in outputs})
        if key:
            kept = {name: pictures[name] for name in self.kept_pictures}
            self._key = {name: outputs[name] for name in self._of_key if name in outputs}, kept
        self.number += 1
