"""Build a working method or dataset from a spec, after checking its arguments against the constructor."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from vssbench import hooks, registry
from vssbench.datasets.label_spaces import SUFFIXES, load_space, same_classes
from vssbench.errors import UserError, blaming, suggest
from vssbench.files.input_files import contents, expanded
from vssbench.networks import packaged
from vssbench.networks.checkpoints import located
from vssbench.networks.class_mapping import MODEL, trained_for
from vssbench.specs import INSIDE, Spec, parse, walk
from vssbench.types import Dataset, LabelSpace, Method, Weights

FILLED_IN = frozenset(("device", "checkpoint", "context", "root", "split", "load"))
"""Constructor arguments that are never part of a spec: the caller fills them in."""
Checkpoint = str | Path | Mapping[str, str | Path]


@dataclass(frozen=True)
class Context:
    """What the caller knows and a spec need not repeat; wrappers pass it on to their inner method.

    labels:      the dataset's label space; None if nothing is known about the data: the spec, the weights or the
                 method's default then decide
    device:      torch device string
    checkpoints: method name, or spec if several share the name -> file (or {"hr": file, "lr": file}), or
                 "untrained"; methods that are not listed get the packaged weights if there are any
    threads:     CPU threads of the networks; None: the library's own number
    """

    labels: LabelSpace | None = None
    device: str = "cpu"
    checkpoints: Mapping[str, Checkpoint] = field(default_factory=dict)
    threads: int | None = None

    def load(self, spec: str | Spec) -> Method:
        """Build the method; raises UserError for unknown names and arguments."""
        spec = parse(spec)
        if spec.at is not None:
            raise UserError(f"a method takes no '@' number: {spec}")
        factory = registry.resolve("methods", spec.name)
        given: dict[str, Any] = {"device": self.device, "checkpoint": self.checkpoint(spec), "context": self}
        optional: dict[str, Any] = {"labels": self.label_space(spec), "threads": self.threads}
        given |= {name: value for name, value in optional.items() if value is not None}
        method: Method = _build(factory, spec, given, Method)
        return method

    def checkpoint(self, spec: Spec) -> Checkpoint | None:
        """The checkpoint given for this method, by its spec or its name."""
        return self.checkpoints.get(str(spec), self.checkpoints.get(spec.name))

    def label_space(self, spec: Spec) -> LabelSpace | None:
        """The classes that the method will predict: the data's, those named in the spec, or those of its weights.

        Raises UserError if the spec names classes that differ from the data's.
        """
        named = spec.get("labels")
        if named in (None, MODEL):
            return self.labels or trained_for(self.checkpoint(spec))
        if self.labels is not None and named == self.labels.name:
            return self.labels
        space = load_space(str(named))
        if self.labels is not None and not same_classes(space, self.labels):
            raise UserError(
                f"the {space.classes} classes of labels={named} are not the {self.labels.classes} of the data "
                f"({self.labels.name!r})",
                where=spec,
                expected="the classes of the data",
                fix="leave labels= out; if the network has different classes, mapping=FILE says which count as which",
            )
        return space


def load_method(
    spec: str | Spec,
    checkpoint: Checkpoint | None = None,
    device: str = "cpu",
    *,
    labels: str | LabelSpace | None = None,
    checkpoints: Mapping[str, Checkpoint] | None = None,
    threads: int | None = None,
) -> Method:
    """Load a method, e.g. `load_method("mpvss(backbone=swin_t,labels=vspw)", checkpoint="model_final.pth")`.

    checkpoint:  file for the method named in the spec, or {"hr": file, "lr": file} for arseg; None: the packaged
                 weights if there are any (`packaged.FILES`); "untrained": random weights in any case
    checkpoints: files by method name, for inner methods (`hold(of=mask2former)`)
    labels:      label space of the data: a value, a name or a file; a spec that names different classes is refused.
                 "model": the network's own
    threads:     CPU threads, for methods that take that argument
    Raises UserError for an unknown method or argument and for a file that does not fit.
    """
    spec = parse(spec)
    files = dict(checkpoints or {})
    if checkpoint is not None:
        files[innermost(spec).name] = checkpoint
    return Context(None if labels in (None, MODEL) else load_space(labels), device, files, threads).load(spec)


def dataset_spec(named: str | Spec) -> Spec:
    """The spec of a dataset: a description file, `my_video.yaml`, means folder(file=my_video.yaml), inside `of` too.

    Raises UserError for anything that is neither a spec nor such a file.
    """
    if isinstance(named, str) and named.lower().endswith(SUFFIXES):
        return Spec("folder", (("file", named),))
    spec = parse(named)
    inner = spec.get("of")
    return spec if inner is None else spec.with_args(of=dataset_spec(inner if isinstance(inner, Spec) else str(inner)))


def load_dataset(
    spec: str | Spec, root: str | Path | None = None, split: str = "val", threads: int | None = None
) -> Dataset:
    """Load a dataset from its spec, e.g. `load_dataset("camvid", root=DIR)`, or its description, "my_video.yaml".

    threads: CPU threads, for datasets that take that argument
    """
    spec = dataset_spec(spec)
    factory = registry.resolve("datasets", spec.name)
    given: dict[str, Any] = {"root": expanded(root) if root is not None else None, "split": split}
    given["load"] = partial(load_dataset, root=root, split=split, threads=threads)  # for a dataset that wraps another
    dataset: Dataset = _build(factory, spec, given if threads is None else given | {"threads": threads}, Dataset)
    return dataset


def resolved(method: Method, spec: Spec, labels: str | None = None) -> Spec:
    """The spec with every default written out: exactly what is measured under a short name.

    labels: name of the label space that the method was loaded with if the spec names none
    """
    full: dict[str, object] = {}
    for name, parameter in inspect.signature(registry.resolve("methods", spec.name)).parameters.items():
        if name in ("device", "checkpoint", "context") or parameter.kind is parameter.VAR_KEYWORD:
            continue
        if name == "threads" and name not in dict(spec.args):
            continue  # it changes only the speed, and is recorded in the environment
        value = spec.get(name, labels if name == "labels" and labels else parameter.default)
        within = hooks.named_by(method, name) if name in INSIDE else None
        if within is not None and isinstance(value, Spec | str):
            value = resolved(within, parse(value), labels)
        elif name not in dict(spec.args):
            chosen = hooks.chosen(method, name, value)
            value = chosen if isinstance(chosen, bool | int | float | str) else value
        if name == "mapping" and value is None:
            continue  # the usual case: the classes are the data's
        if value is None or isinstance(value, bool | int | float | str | Spec):
            full[name] = value
    return spec.with_args(**full)


def innermost(spec: Spec) -> Spec:
    """The spec of the method inside all wrappers: the one with weights, which a checkpoint is for."""
    inner = spec.get("of")
    return spec if inner is None else innermost(parse(inner if isinstance(inner, Spec) else str(inner)))


def check_arguments(group: registry.Group, spec: Spec) -> None:
    """Raise UserError for unknown or missing constructor arguments, without building anything."""
    filled_in = ("device", "checkpoint", "context", "labels") if group == "methods" else ("root", "split", "load")
    _arguments(registry.resolve(group, spec.name), spec, dict.fromkeys(filled_in))


def check_checkpoints(names: Iterable[str], specs: Sequence[Spec]) -> None:
    """Raise UserError for a checkpoint that is for none of the methods: a typo would look like missing weights."""
    known = {name for spec in specs for inner in walk(spec) for name in (inner.name, str(inner))}
    for name in names:
        if name not in known:
            raise UserError(f"a checkpoint is given for {name!r}, which is not run", expected=suggest(name, known))


def _build(factory: Callable[..., Any], spec: Spec, given: Mapping[str, Any], protocol: type) -> Any:
    """Call the factory with the spec's arguments and those of the given values that it takes.

    protocol: what the result must satisfy
    """
    asked = given.get("checkpoint")
    try:
        args = _arguments(factory, spec, given)
        if "labels" in args and "labels" in given:
            args["labels"] = given["labels"]  # the label space itself, where the spec may hold its name
        if "checkpoint" in args:
            args["checkpoint"] = _weights(factory, spec.name, args)
        elif asked is not None:
            raise UserError(f"{spec.name} reads no checkpoint", fix="leave --checkpoint out for it")
        ours = factory.__module__.startswith("vssbench.")  # a bug of ours is not the user's mistake
        with nullcontext() if ours else blaming(factory.__name__, str(spec)):
            built = factory(**args)
    except UserError as error:
        if error.where is not None:
            raise
        raise type(error)(error.what, where=spec, expected=error.expected, fix=error.fix) from error
    if lacking := [part for part in hooks.lacking(built, protocol) if part != "name"]:  # the name is set below
        raise UserError(
            f"is not a {protocol.__name__.lower()}: it lacks {', '.join(lacking)}",
            where=spec,
            expected=f"what vssbench.types.{protocol.__name__} describes",
            fix="CONTRIBUTING.md shows one in 20 lines",
        )
    with nullcontext() if ours else blaming(factory.__name__, str(spec)):
        built.name = str(spec)
    if asked is not None and asked != packaged.UNTRAINED:
        _note_checkpoint(built, args["checkpoint"])
    return built


def _note_checkpoint(method: Method, given: Checkpoint) -> None:
    """Record a given checkpoint in the result, whether or not the method reports its weights."""
    said = hooks.usable(method, "weights") or Weights()
    if said.sha256 or said.origin == "untrained":
        return
    files = [located(file)[0] for file in (given.values() if isinstance(given, Mapping) else [given])]
    found = Weights("file", ", ".join(map(str, files)), ",".join(map(contents, files)))
    with suppress(AttributeError):  # a read-only property, which `hooks.faults` reports
        method.weights = found  # type: ignore[attr-defined]


def _weights(factory: Callable[..., Any], method: str, args: Mapping[str, Any]) -> Checkpoint | None:
    """The files to pass to the constructor: the user's, the packaged ones, or None for random weights."""
    asked: Checkpoint | None = args["checkpoint"]
    if asked == packaged.UNTRAINED:
        return None
    if asked is not None:
        return _at_home(asked) if isinstance(asked, str | Path) else {key: _at_home(asked[key]) for key in asked}
    bound = inspect.signature(factory).bind_partial(**args)
    bound.apply_defaults()
    return packaged.find(method, bound.arguments)


def _at_home(file: str | Path) -> str | Path:
    """The path with a leading `~` expanded."""
    return str(expanded(file)) if str(file).startswith("~") else file


def constructor(factory: Callable[..., Any], name: str) -> tuple[dict[str, inspect.Parameter], dict[str, Any]]:
    """The parameters that a method or dataset is built with, and their types. Raises UserError for unreadable types."""
    parameters = {
        key: parameter
        for key, parameter in inspect.signature(factory).parameters.items()
        if parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
    }
    try:
        return parameters, get_type_hints(factory.__init__ if inspect.isclass(factory) else factory)
    except NameError as error:  # a plugin that imports types for the type checker only
        raise UserError(
            f"the type hints of {name} cannot be read: {error}", fix="import that name outside `if TYPE_CHECKING`"
        ) from error


def _arguments(factory: Callable[..., Any], spec: Spec, given: Mapping[str, Any]) -> dict[str, Any]:
    """The spec's arguments, checked, and those of the given values that the factory takes."""
    parameters, hints = constructor(factory, spec.name)
    own = {name for name in parameters if name not in FILLED_IN}
    args = dict(spec.args)
    for key, value in args.items():
        if key not in own:
            raise UserError(f"{spec.name} has no argument {key!r}", where=str(spec), expected=suggest(key, own))
        args[key] = _checked(value, hints.get(key, Any), f"{spec.name}({key}=...)")
    for name, parameter in parameters.items():
        if name in given and name not in args:
            args[name] = given[name]
        elif name not in args and parameter.default is inspect.Parameter.empty:
            raise UserError(
                f"{spec.name} needs the argument {name!r}", where=str(spec), fix=f"write {spec.name}({name}=...)"
            )
    return args


def _checked(value: object, hint: Any, where: str) -> Any:
    try:
        return TypeAdapter(hint, config=ConfigDict(arbitrary_types_allowed=True)).validate_python(value, strict=True)
    except ValidationError as error:
        wanted = "; ".join(sorted({problem["msg"] for problem in error.errors()}))
        raise UserError(f"{value!r:.200} is not valid", where=where, expected=wanted) from None
