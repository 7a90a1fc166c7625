"""Assemble one training from data, recipe, device and folder, and estimate what it will take from a few steps."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from vssbench import environment, registry
from vssbench.bench.approximation import published
from vssbench.bench.identity import named_files
from vssbench.datasets.codec import codec_for
from vssbench.datasets.fingerprint import fingerprint
from vssbench.datasets.strided import frame_rate
from vssbench.errors import MissingExtra, UserError, suggest
from vssbench.files.input_files import contents
from vssbench.load import innermost, load_dataset, resolved
from vssbench.networks import checkpoints
from vssbench.networks.class_mapping import described
from vssbench.specs import Spec, parse
from vssbench.training.clips import Clips
from vssbench.training.console import Report
from vssbench.training.data_digest import data_digest
from vssbench.training.folder import TrainingFolder
from vssbench.training.loop import Conduct, Training, deterministic, make_accelerator, train
from vssbench.training.recipe import Order, Recipe, Start
from vssbench.training.validation import Validation

TRIED_STEPS = 4
"""The number of steps in a dry run; the first is not timed."""


@dataclass(frozen=True)
class Job:
    """The user's arguments of `vssbench train`.

    split, validation: splits of the dataset to train on and to validate on; "none": no validation
    limit, validation_limit: how many clips to use, from the first on; None: all
    precision: no, fp16 or bf16
    """

    method: Spec
    dataset: str
    data_root: Path | None = None
    split: str = "train"
    validation: str = "val"
    limit: int | None = None
    validation_limit: int | None = None
    start: Start | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    codec: str | None = None
    device: str = "cpu"
    precision: str = "no"
    conduct: Conduct = field(default_factory=Conduct)

    def open(self) -> Opened:
        """Load everything. Raises UserError for missing data, weights or devices, before anything is written."""
        try:
            accelerator = make_accelerator(self.device, self.precision)
        except ImportError as error:
            raise MissingExtra.of("train", error.name or "accelerate", "training") from None
        clips = Clips(load_dataset(self.dataset, self.data_root, self.split), self.limit)
        found = find_recipe(self.method)
        if unknown := sorted(set(self.options) - set(found.options)):
            raise UserError(
                f"the recipe of {self.method.name} has no option {unknown[0]!r}",
                where="--option",
                expected=suggest(unknown[0], found.options),
            )
        order = Order(
            self.method,
            clips.dataset.space,
            str(accelerator.device),
            self.start,
            self.settings,
            {**found.options, **self.options},
            self.codec,
        )
        if self.method.get("mapping") is not None:
            raise UserError(
                f"{self.method} has a mapping, but training learns the classes of the data",
                fix="leave it out; vssbench run uses it for weights of other classes",
            )
        recipe = found(order)
        if (plain := published(self.method, recipe.method)) != self.method:
            raise UserError(
                f"training ignores part of {self.method}: dtype, compile and decode are inference options",
                fix=f"vssbench train {plain!s}; --precision bf16 chooses the numbers to train in",
            )
        return Opened(self, clips, recipe, Training(recipe, clips, accelerator, self.conduct.workers))


@dataclass(frozen=True)
class Opened:
    """A job whose data and networks are in memory."""

    job: Job
    clips: Clips
    recipe: Recipe
    training: Training

    def run(self, output: Path, resume: bool) -> None:
        """Train, and write the weights and the log to the folder."""
        accelerator = self.training.accelerator
        with deterministic(), Report(self.recipe.settings.steps, not accelerator.is_main_process) as report:
            folder = TrainingFolder(output, self._record(), resume, accelerator.is_main_process)
            try:
                train(self.training, folder, self._validation(), self.job.conduct, report)
            finally:
                folder.close()

    def plan(self) -> dict[str, Any]:
        """Estimate what the training takes from a few of its steps: {"steps", "seconds_per_step", "memory_mb", ...}."""
        settings, training = self.recipe.settings, self.training
        marks = []
        with deterministic():
            for step, batch in zip(range(min(TRIED_STEPS, settings.steps)), training.batches(0), strict=False):
                training.step(step, batch)
                marks.append(time.perf_counter())
        pace = (marks[-1] - marks[0]) / (len(marks) - 1) if len(marks) > 1 else None
        device = training.accelerator.device
        parameters = list(self.recipe.module.parameters())
        return {
            "method": str(self.job.method),
            "settings": asdict(settings),
            "clips": len(self.clips.names),
            "labelled_frames": sum(len(self.clips.labelled(clip)) for clip in self.clips.names),
            "trained_params_m": sum(p.numel() for p in parameters if p.requires_grad) / 1e6,
            "frozen_params_m": sum(p.numel() for p in parameters if not p.requires_grad) / 1e6,
            "seconds_per_step": pace,
            "expected_seconds": None if pace is None else pace * settings.steps,
            "memory_mb": {
                "host_peak": _host_peak(),
                "device_peak": torch.cuda.max_memory_allocated(device) / 2**20 if device.type == "cuda" else None,
            },
            "deviations": list(self.recipe.deviations),
        }

    def _validation(self) -> Validation | None:
        job = self.job
        if job.validation == "none":
            return None
        dataset = load_dataset(job.dataset, job.data_root, job.validation)
        codec = codec_for(self.recipe.method, job.codec, innermost(parse(job.dataset)).name, frame_rate(dataset))
        return Validation(self.recipe.method, dataset, codec, job.validation_limit)

    def _record(self) -> dict[str, Any]:
        """The record of what the weights depend on, and where they come from."""
        job, machine = self.job, environment.describe(str(self.training.accelerator.device), None)
        return {
            "method": str(job.method),
            "resolved": str(resolved(self.recipe.method, job.method, self.clips.dataset.space.name)),
            **described(self.clips.dataset.space),
            "start": _described(job.start),
            "settings": asdict(self.recipe.settings),
            "options": {**self.recipe.options, **job.options},
            "dataset": job.dataset,
            "split": job.split,
            "limit": job.limit,
            "fingerprint": fingerprint(self.clips.dataset),
            "data": data_digest(self.clips) if self.training.accelerator.is_main_process else None,
            "files": {str(file): contents(file) for file in named_files([job.method, parse(job.dataset)])},
            "codec": job.codec,
            "precision": job.precision,
            "processes": self.training.accelerator.num_processes,
            "device": machine["device"],
            "threads": machine["threads"],
            "commit": machine["commit"],
            "dirty": machine["dirty"],
            "packages": machine["packages"],
            "deviations": list(self.recipe.deviations),
        }


def _host_peak() -> float | None:
    """The peak memory of this process in MB; None on Windows, which has no such counter."""
    if sys.platform == "win32":
        return None
    import resource

    per_mb = 2**20 if sys.platform == "darwin" else 1024  # macOS counts in bytes, Linux in KB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / per_mb


def _described(start: Start | None) -> Any:
    """The path and SHA-256 of the files to start from."""
    if isinstance(start, Mapping):
        return {branch: _described(path) for branch, path in start.items()}
    return None if start is None else {"path": str(start), "sha256": checkpoints.read(start).sha256}


def find_recipe(method: Spec) -> Any:
    """Return the recipe class of a method. Raises UserError for an unknown method, and for one that is not trained."""
    entry = registry.find("methods", method.name)
    if not entry.recipe:
        trained = sorted(name for name, known in registry.entries("methods").items() if known.recipe)
        raise UserError(f"{method.name} has no training recipe", expected=f"one of: {', '.join(trained)}")
    return registry.attribute(entry.recipe)
