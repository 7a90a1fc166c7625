"""The training loop, the same for every recipe: steps, precision, devices, log, validation, state.

An example is a function of the seed and its number, and torch's generator is seeded again before every step. A resumed
training therefore ends with the same weights as an uninterrupted one, to the bit on one device.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from vssbench.errors import UserError
from vssbench.training.clips import Clips
from vssbench.training.console import Report
from vssbench.training.recipe import Batch, Example, Recipe, warmed_up
from vssbench.training.validation import Validation

if TYPE_CHECKING:
    from accelerate import Accelerator

    from vssbench.training.folder import TrainingFolder


@dataclass(frozen=True)
class Conduct:
    """How a training is run; nothing here changes the weights.

    log_every, validate_every, save_every: in steps
    workers: processes that make examples; 0: the training process itself
    """

    log_every: int = 50
    validate_every: int = 1000
    save_every: int = 500
    workers: int = 0


class Training:
    """A recipe at work on one device, or on this process's share of several."""

    def __init__(self, recipe: Recipe, clips: Clips, accelerator: Accelerator, workers: int = 0):
        """Raise UserError if the batch cannot be split evenly over the processes."""
        self.recipe, self.clips, self.accelerator, self.workers = recipe, clips, accelerator, workers
        settings, processes = recipe.settings, accelerator.num_processes
        if settings.batch % processes:
            raise UserError(f"a batch of {settings.batch} cannot be divided among {processes} processes")
        self.module, self.optimiser = accelerator.prepare(recipe.module, recipe.optimiser())
        self._rates = [group["lr"] for group in self.optimiser.param_groups]
        self.module.train()

    def batches(self, first: int) -> Iterator[Batch]:
        """Yield the batches of this process from a step on."""
        settings, accelerator = self.recipe.settings, self.accelerator
        share = settings.batch // accelerator.num_processes
        mine = range(accelerator.process_index * share, (accelerator.process_index + 1) * share)
        numbers = [[step * settings.batch + number for number in mine] for step in range(first, settings.steps)]
        examples = _Examples(self.recipe, self.clips)
        for drawn in DataLoader(examples, batch_sampler=numbers, num_workers=self.workers, collate_fn=list):
            for example in drawn:
                if isinstance(example, UserError):  # a worker process could not have raised it unchanged
                    raise example
            yield Batch.of(drawn, accelerator.device)

    def step(self, step: int, batch: Batch) -> dict[str, float]:
        """Make one optimiser step and return the losses. Raises UserError if one is not finite."""
        recipe, accelerator = self.recipe, self.accelerator
        recipe.before_step(step)
        torch.manual_seed(_seed(recipe.settings.seed, step, accelerator.process_index))
        for group, rate in zip(self.optimiser.param_groups, self._rates, strict=True):
            group["lr"] = rate * recipe.factor(step) * warmed_up(group, step)
        losses = self._losses(batch)
        found = {name: float(loss.detach()) for name, loss in losses.items()}
        _check(found, step, batch)
        accelerator.backward(sum(losses.values()))
        most = recipe.clip_norm()
        if accelerator.scaler is None or most is not None:  # a scaler skips steps with overflowing gradients
            norm = float(accelerator.clip_grad_norm_(self.module.parameters(), most or math.inf))
            if accelerator.scaler is None:
                _check({"the gradients' norm": norm}, step, batch)
        self.optimiser.step()
        self.optimiser.zero_grad()
        return found

    def _losses(self, batch: Batch) -> dict[str, torch.Tensor]:
        try:
            losses: dict[str, torch.Tensor] = self.module(batch)
        except ValueError as error:
            if "more than 1 value per channel" not in str(error):
                raise
            height, width = batch.images.shape[-2:]
            raise UserError(
                f"batch normalisation has a single value per channel in {len(batch.images)} crop of {height}x{width}",
                expected="a batch of several crops, or larger ones",
                fix="--batch 2, or a larger --crop",
            ) from None
        return losses

    def state(self, step: int) -> dict[str, Any]:
        """The state that is needed to continue after that many steps."""
        scaler = self.accelerator.scaler
        return {
            "step": step,
            "module": self.accelerator.unwrap_model(self.module).state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "scaler": scaler.state_dict() if scaler else {},
        }

    def restore(self, state: dict[str, Any]) -> int:
        """Continue from a state; returns the number of steps made so far."""
        self.accelerator.unwrap_model(self.module).load_state_dict(state["module"])
        self.optimiser.load_state_dict(state["optimiser"])
        if self.accelerator.scaler:
            self.accelerator.scaler.load_state_dict(state["scaler"])
        return int(state["step"])

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """Put the networks into evaluation mode in this context."""
        self.module.eval()
        try:
            yield
        finally:
            self.module.train()


def train(
    training: Training, folder: TrainingFolder, validation: Validation | None, conduct: Conduct, report: Report
) -> None:
    """Train to the end, from the folder's state if there is one, and write the weights.

    Raises UserError if a loss is not finite, and keeps nothing of that step. An interruption keeps the state.
    """
    accelerator, steps = training.accelerator, training.recipe.settings.steps
    state = folder.state()
    done = first = 0 if state is None else training.restore(state)
    if accelerator.is_main_process:
        folder.rewind(done)

    def keep() -> None:
        if accelerator.is_main_process:
            folder.keep(training.state(done))

    losses: list[dict[str, float]] = []
    began = time.perf_counter()
    try:
        for batch in training.batches(first):
            losses.append(training.step(done, batch))
            done += 1
            if done % conduct.log_every == 0 or done == steps:
                entry = _entry(done, losses, training.optimiser.param_groups, time.perf_counter() - began)
                losses, began = [], time.perf_counter()
                _tell(accelerator, folder, report, entry)
            if validation and (done % conduct.validate_every == 0 or done == steps):
                if accelerator.is_main_process:
                    with training.evaluating():
                        _tell(accelerator, folder, report, {"step": done, "validation": validation.run()})
                accelerator.wait_for_everyone()
                began = time.perf_counter()
            if done % conduct.save_every == 0 and done < steps:
                keep()
    except KeyboardInterrupt:
        keep()
        raise
    if accelerator.is_main_process:
        report.finished(folder.finish(training.recipe.weights()))
    accelerator.wait_for_everyone()


def make_accelerator(device: str, precision: str) -> Accelerator:
    """Return Accelerate's object for the device, or for this process's device under `accelerate launch`."""
    import os

    from accelerate import Accelerator, DistributedDataParallelKwargs

    if device.startswith("cuda:") and "LOCAL_RANK" not in os.environ:
        os.environ["ACCELERATE_TORCH_DEVICE"] = device
    unused = DistributedDataParallelKwargs(find_unused_parameters=True)  # a stage may leave out part of the network
    return Accelerator(cpu=device == "cpu", mixed_precision=precision, kwargs_handlers=[unused])


@contextmanager
def deterministic() -> Iterator[None]:
    """Use deterministic operators where torch has them (CUDA's grid_sample lacks one for its gradient: a warning)."""
    before = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=warn_only)


class _Examples(Dataset[Example | UserError]):
    """Examples by number: each round has one example per clip, in an order drawn again for each round."""

    def __init__(self, recipe: Recipe, clips: Clips):
        self.recipe, self.clips = recipe, clips
        self._order: Callable[[int], np.ndarray] = lru_cache(2)(self._permutation)

    def __getitem__(self, number: int) -> Example | UserError:
        names, seed = self.clips.names, self.recipe.settings.seed
        clip = names[self._order(number // len(names))[number % len(names)]]
        try:
            return self.recipe.draw(self.clips, clip, np.random.default_rng([seed, 1, number]))
        except UserError as error:
            return error

    def _permutation(self, round_: int) -> np.ndarray:
        return np.random.default_rng([self.recipe.settings.seed, 0, round_]).permutation(len(self.clips.names))


def _seed(*parts: int) -> int:
    return int(np.random.SeedSequence(parts).generate_state(1, np.uint64)[0] >> 1)


def _check(values: dict[str, float], step: int, batch: Batch) -> None:
    if wrong := [f"{name} {value}" for name, value in values.items() if not math.isfinite(value)]:
        raise UserError(
            f"not finite at step {step}: {', '.join(wrong)}",
            where=", ".join(dict.fromkeys(batch.names)),
            expected="finite losses and gradients",
            fix="look at these frames and their labels, or lower --rate; --resume continues from the last state",
        )


def _entry(step: int, losses: list[dict[str, float]], groups: Any, seconds: float) -> dict[str, Any]:
    means = {name: sum(loss[name] for loss in losses) / len(losses) for name in losses[-1]}
    return {
        "step": step,
        "loss": sum(means.values()),
        "losses": means,
        "rate": max(group["lr"] for group in groups),
        "seconds_per_step": seconds / len(losses),
    }


def _tell(accelerator: Accelerator, folder: TrainingFolder, report: Report, entry: dict[str, Any]) -> None:
    if accelerator.is_main_process:
        folder.log(**entry)
        report.tell(entry)
