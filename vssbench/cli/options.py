"""Options that several verbs share, and those of a run: RunSpec's fields declare them, and here is their syntax."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, TypeVar, get_args, get_origin

import typer

from vssbench.bench.spec import RunSpec
from vssbench.cli import completion, texts
from vssbench.files.input_files import expanded

Command = TypeVar("Command", bound=Callable[..., Any])

FIELDS = RunSpec.model_fields
DEFAULT = RunSpec()
IN_FILES_ONLY = {"latency", "rules"}
"""Fields of a run spec that are not flags."""


class Form(NamedTuple):
    """How a flag sets a field that is not a plain value.

    type: what Typer reads;  read: converts that to the field's value
    shown: replaces the type in the help;  more: added after the field's description
    """

    type: Any
    read: Callable[[Any], Any]
    shown: str | None = None
    more: str = ""


FORMS = {
    "methods": Form(list[str], texts.names, "SPEC,SPEC", "Repeatable."),
    "metrics": Form(
        list[str], texts.names, "METRIC,METRIC", "E.g. mIoU,VC@8,BIoU; default: all accuracies, VC, VCC. Repeatable."
    ),
    "data_root": Form(Path, str),
    "protocol": Form(str, str, None, "`vssbench list protocols` names them."),
    "distances": Form(list[str], texts.distances, "0..11", "Or 0,3,6. Repeatable."),
    "sweep": Form(list[str], texts.sweep, "ARGUMENT=VALUE,VALUE", "Or ARGUMENT=0..4. Repeatable."),
    "stream": Form(list[str], texts.rates, "FPS,FPS", "Repeatable."),
    "checkpoint": Form(list[str], texts.checkpoints, "METHOD=PATH", "Or arseg=hr:PATH,lr:PATH. Repeatable."),
}

COMPLETIONS = {
    "methods": completion.several(completion.methods),
    "metrics": completion.several(completion.metrics),
    "dataset": completion.one(completion.datasets),
    "protocol": completion.one(completion.protocols),
}


def option(field: str, checked: bool = False) -> Any:
    """Return the option for a field of RunSpec. checked: Typer checks the field's bounds, where no RunSpec is made."""
    info, form = FIELDS[field], _form(field)
    choices = "|".join(get_args(info.annotation)) if get_origin(info.annotation) is Literal else None
    bounds = {
        name: getattr(one, name) for one in info.metadata for name in ("ge", "le") if checked and hasattr(one, name)
    }
    return typer.Option(
        f"--{field.replace('_', '-')}",
        help=f"{info.description} {form.more}".rstrip(),
        metavar=form.shown or choices,
        min=bounds.get("ge"),
        max=bounds.get("le"),
        autocompletion=COMPLETIONS.get(field),
    )


def with_run_options(command: Command) -> Command:
    """Give the command a flag for every field of RunSpec in place of its `**flags`, which `given` reads."""
    parameters = list(inspect.signature(command, eval_str=True).parameters.values())[:-1]
    own = next(place for place, one in enumerate(parameters) if one.kind is one.KEYWORD_ONLY)
    kinds = {name: Annotated[_form(name).type | None, option(name)] for name in FIELDS if name not in IN_FILES_ONLY}
    flags = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)
        for name, kind in kinds.items()
    ]
    command.__signature__ = inspect.Signature([*parameters[:own], *flags, *parameters[own:]])  # type: ignore[attr-defined]
    return command


def at_home(command: Command) -> Command:
    """Expand `~` in every path that the command is given: shells leave the one in --output=~/run alone."""

    def read(value: Any) -> Any:
        if isinstance(value, list):
            return [read(one) for one in value]
        return expanded(value) if isinstance(value, Path) else value

    @wraps(command)
    def called(**given: Any) -> Any:
        return command(**{name: read(value) for name, value in given.items()})

    return called  # type: ignore[return-value]


def given(flags: dict[str, Any]) -> dict[str, Any]:
    """The flags that the user gave, as fields of RunSpec."""
    return {name: _form(name).read(value) for name, value in flags.items() if value is not None}


def _form(field: str) -> Form:
    annotation = FIELDS[field].annotation
    plain = next((kind for kind in (bool, int) if annotation in (kind, kind | None)), str)
    return FORMS.get(field) or Form(plain, plain)


MethodsOption = Annotated[list[str], option("methods")]
DatasetOption = Annotated[str | None, option("dataset")]
RootOption = Annotated[Path | None, option("data_root")]
SplitOption = Annotated[str, option("split")]
DeviceOption = Annotated[str, option("device")]
ThreadsOption = Annotated[int | None, option("threads", checked=True)]
MemoryOption = Annotated[Literal["together", "alone"], option("memory")]
CheckpointOption = Annotated[list[str] | None, option("checkpoint")]
TemplateOption = Annotated[
    Path | None,
    typer.Option(
        "--mapping-template",
        metavar="FILE",
        help="If a network's class names differ from the data's, write a mapping to fill in, and stop.",
    ),
]
AgainOption = Annotated[
    str | None,
    typer.Option(
        "--protocol",
        help="Score again under a protocol of `vssbench list protocols`.",
        autocompletion=completion.one(completion.protocols),
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object to stdout and nothing else.")]
