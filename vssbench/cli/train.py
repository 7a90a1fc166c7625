"""`vssbench train`: train a method's weights on a labelled dataset, by the recipe of its paper."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from shlex import quote
from typing import Annotated, Any

import typer

from vssbench.cli import completion
from vssbench.cli.interrupts import ended_by_signals
from vssbench.cli.options import DEFAULT, DatasetOption, DeviceOption, JsonOption, RootOption, ThreadsOption
from vssbench.cli.streams import only_ours
from vssbench.cli.texts import branches
from vssbench.errors import UserError, counted


def command(
    method: Annotated[
        str,
        typer.Argument(
            help="Method spec, e.g. 'mpvss(backbone=swin_t)'.", autocompletion=completion.one(completion.trained)
        ),
    ],
    dataset: DatasetOption = None,
    data_root: RootOption = None,
    output: Annotated[Path | None, typer.Option("--output", help="Folder for the log, the state, the weights.")] = None,
    start: Annotated[
        str | None,
        typer.Option("--start", help="Weights: a file or folder, huggingface(model=ID); arseg: hr:FILE."),
    ] = None,
    split: Annotated[str, typer.Option("--split", help="Split to learn from.")] = "train",
    validation: Annotated[str, typer.Option("--validation", help="Split to validate on, or none.")] = "val",
    steps: Annotated[int | None, typer.Option("--steps", min=1, help="Training steps; default: the recipe's.")] = None,
    batch: Annotated[int | None, typer.Option("--batch", min=1, help="Examples per step, over all devices.")] = None,
    rate: Annotated[float | None, typer.Option("--rate", help="Learning rate.")] = None,
    crop: Annotated[str | None, typer.Option("--crop", help="HEIGHTxWIDTH of the training crops.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="Seed of all random numbers; default 0.")] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--option", metavar="NAME=NUMBER", help="A number of the recipe, e.g. window=5. Repeatable."),
    ] = None,
    limit: Annotated[int | None, typer.Option("--limit", min=1, help="Learn from the first CLIPS clips only.")] = None,
    validation_limit: Annotated[
        int | None, typer.Option("--validation-limit", min=1, help="Validate on the first CLIPS clips only.")
    ] = None,
    codec: Annotated[str | None, typer.Option("--codec", help="For recipes that need motion: h264(...).")] = None,
    precision: Annotated[str, typer.Option("--precision", help="no (float32), fp16 or bf16.")] = "no",
    device: DeviceOption = DEFAULT.device,
    threads: ThreadsOption = None,
    workers: Annotated[int, typer.Option("--workers", min=0, help="Processes that make examples.")] = 0,
    log_every: Annotated[int, typer.Option("--log-every", min=1, help="Steps between lines of the log.")] = 50,
    validate_every: Annotated[int, typer.Option("--validate-every", min=1, help="Steps between validations.")] = 1000,
    save_every: Annotated[int, typer.Option("--save-every", min=1, help="Steps between states to resume from.")] = 500,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the training in --output.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="A few steps: memory, steps, expected time.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Train a method by its paper's recipe; several GPUs: accelerate launch -m vssbench train ..."""
    if dataset is None:
        raise UserError("train needs a dataset", fix="--dataset vspw --data-root DIR, or --dataset synthetic")
    if output is None and not dry_run:
        raise UserError("train needs a folder to write to", fix="--output DIR (or --dry-run)")
    if precision not in ("no", "fp16", "bf16"):
        raise UserError(f"--precision {precision} is not valid", expected="no, fp16 or bf16")
    if as_json and not dry_run:
        raise UserError("--json belongs to --dry-run", expected="a training's figures are in log.jsonl in --output")
    from vssbench import environment
    from vssbench.load import dataset_spec
    from vssbench.specs import parse
    from vssbench.training.job import Job
    from vssbench.training.loop import Conduct

    environment.check_device(device)
    environment.set_threads(threads)
    figures: dict[str, Any] = {"steps": steps, "batch": batch, "rate": rate, "crop": _crop(crop), "seed": seed}
    given = {name: value for name, value in figures.items() if value is not None}
    job = Job(
        parse(method), str(dataset_spec(dataset)), data_root, split, validation, limit, validation_limit,
        _start(start), given, _options(option), codec, device, precision,
        Conduct(log_every, validate_every, save_every, workers)
    )  # fmt: skip
    with only_ours():
        opened = job.open()
        plan = opened.plan() if dry_run else None
    if plan is not None:
        print(json.dumps(plan) if as_json else _told(plan))
        return
    assert output is not None
    with only_ours(), ended_by_signals(f"continue with --resume --output {quote(str(output))}"):
        opened.run(output, resume)
    if opened.training.accelerator.is_main_process:
        from vssbench.reports.plots import learning_curves

        learning_curves.write({str(job.method): output}, output / "curves.png")


def _crop(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    from vssbench.networks.sizes import parse_size

    return parse_size(text, "--crop ")


def _options(values: list[str] | None) -> dict[str, float]:
    options: dict[str, float] = {}
    for value in values or []:
        name, equals, number = value.partition("=")
        if name in options:
            raise UserError(f"--option names {name!r} twice", expected="one number for each")
        try:
            options[name] = float(number)
        except ValueError:
            raise UserError(f"--option {value!r} cannot be read", expected="NAME=NUMBER, e.g. window=5") from None
        if not equals or not name:
            raise UserError(f"--option {value!r} cannot be read", expected="NAME=NUMBER, e.g. window=5")
    return options


def _start(text: str | None) -> str | dict[str, str] | None:
    """`hr:FILE` -> {"hr": FILE}; `huggingface(model=...)` -> that model's folder; any other text is a path."""
    if text is None:
        return None
    if text.startswith("huggingface("):
        from vssbench.methods.huggingface.model_folder import find_spec
        from vssbench.specs import parse

        return str(find_spec(parse(text)))
    return branches(text)


def _told(plan: dict[str, Any]) -> str:
    """Describe the dry run in words."""
    settings, memory = plan["settings"], plan["memory_mb"]
    height, width = settings["crop"]
    lines = [
        f"{plan['method']}: {plan['trained_params_m']:.2f} M parameters are trained, "
        f"{plan['frozen_params_m']:.2f} M are frozen",
        f"data: {counted(plan['clips'], 'clip')}, {counted(plan['labelled_frames'], 'labelled frame')}",
        f"{settings['steps']} steps of {settings['batch']} examples of {height}x{width}, rate {settings['rate']:g}, "
        f"seed {settings['seed']}",
    ]
    if plan["seconds_per_step"] is None:
        lines.append("time: not known from a single step")
    else:
        whole = timedelta(seconds=round(plan["expected_seconds"]))
        lines.append(f"time: {plan['seconds_per_step']:.3g} s per step, {whole} in total, validation not counted")
    peaks = {"host": memory["host_peak"], "device": memory["device_peak"]}
    known = [f"{peak:.0f} MB of the {where}" for where, peak in peaks.items() if peak is not None]
    lines.append(f"memory at the peak: {', '.join(known) or 'not known on this system'}")
    return "\n".join([*lines, "different from the paper:", *(f"- {text}" for text in plan["deviations"])])
