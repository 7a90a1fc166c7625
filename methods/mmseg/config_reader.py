"""Reading mmsegmentation's configs without running them.

Such a config is a Python file, and the library runs it. Nearly all are plain assignments; those, and no other code, are
read here: literals, `dict(...)`, names that were assigned before, arithmetic, and `_base_`. Any other assigned value is
an error only when it is asked for. A dump (`Config.dump`, .json or .yaml) can be read whatever its source was.
"""

from __future__ import annotations

import ast
import difflib
import importlib.util
import json
import operator
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from vssbench.errors import MissingExtra, UserError
from vssbench.files.yaml_file import check_values, read_text

FORMS = "the name of a config of mmsegmentation, or a .py (plain assignments), .json or .yaml file"
_MOST_FILES, _MOST_VALUES, _LARGEST = 100, 10**5, 2**63
_OPERATORS: dict[type[ast.AST], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
}


class _Loader(yaml.SafeLoader):
    """YAML as `Config.dump` writes it: tuples are marked as Python's."""


def _tuple(loader: yaml.SafeLoader, node: yaml.SequenceNode) -> tuple[Any, ...]:
    return tuple(loader.construct_sequence(node, deep=True))


_Loader.add_constructor("tag:yaml.org,2002:python/tuple", _tuple)


def read(path: Path) -> dict[str, Any]:
    """Return the whole config, its bases merged in; an entry made by code becomes the UserError that says so."""
    return _file(path, (), [])


def entry(config: Mapping[str, Any], key: str, path: Path) -> Any:
    """Return an entry of a config that was read from `path`. Raises UserError where it is missing or made by code."""
    if key not in config:
        raise UserError(f"has no {key}", where=path, expected="a config of mmsegmentation 1.x")
    if isinstance(config[key], UserError):
        raise config[key]
    return config[key]


def find(config: str) -> Path:
    """Return the file for a path or a bundled config: "segformer/segformer_mit-b0_...", or its last part alone."""
    if Path(config).is_file():
        return Path(config)
    known = bundled()
    name = config.removesuffix(".py")
    if name not in known:
        raise UserError(f"no such config: {config}", expected=FORMS, fix=nearest(name, known))
    return known[name]


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return a "did you mean" for a misspelt name; the known ones are too many to list."""
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]!r}?" if close else None


@cache
def bundled() -> dict[str, Path]:
    """The configs that come with the installed library, by path without ".py" and by name alone."""
    folder = library_folder() / ".mim" / "configs"
    files = [file for file in sorted(folder.glob("*/*.py")) if file.parent.name != "_base_"]
    return {file.stem: file for file in files} | {f"{file.parent.name}/{file.stem}": file for file in files}


@cache
def library_folder() -> Path:
    """The folder where mmsegmentation is installed; nothing of it is imported."""
    found = importlib.util.find_spec("mmseg")
    if found is None or not found.submodule_search_locations:
        raise MissingExtra.of("mmseg", "mmsegmentation", "mmseg(config=...)")
    return Path(found.submodule_search_locations[0])


def _file(path: Path, opened: tuple[Path, ...], read: list[Path]) -> dict[str, Any]:
    """Read a file and its bases. opened: the files that led to it; read: all so far."""
    read.append(path)
    if path in opened or len(read) > _MOST_FILES:
        raise UserError("is its own base" if path in opened else f"has {_MOST_FILES} bases or more", where=path)
    text = read_text(path)
    try:
        data = _parse(text, path)
    except (RecursionError, MemoryError):  # Python's parser reports the former as the latter
        raise UserError("is nested too deeply", where=path, expected=FORMS) from None
    except (ValueError, TypeError, SyntaxError, yaml.YAMLError) as error:
        raise UserError(f"cannot be read: {' '.join(str(error).split())[:200]}", where=path, expected=FORMS) from None
    if not isinstance(data, dict):
        raise UserError("holds no mapping", where=path, expected=FORMS)
    bases = entry(data, "_base_", path) if "_base_" in data else []
    bases = [bases] if isinstance(bases, str) else bases
    if not isinstance(bases, list | tuple) or not all(isinstance(base, str) for base in bases):
        raise UserError(f"_base_ is {bases!r:.100}", where=path, expected="a file's name, or a list of names")
    merged: dict[str, Any] = {}
    for base in bases:
        for key, value in _file(_base(base, path), (*opened, path), read).items():
            if key in merged:
                raise UserError(f"{key} is in two of its bases", where=path)
            merged[key] = value
    return merge({key: value for key, value in data.items() if key != "_base_"}, merged)


def _base(base: str, path: Path) -> Path:
    if base.startswith("mmseg::"):
        return library_folder() / ".mim" / "configs" / base.removeprefix("mmseg::")
    try:
        return (path.parent / base).resolve()
    except ValueError:  # a null character
        raise UserError(f"_base_ is {base!r:.100}", where=path, expected="a file's name") from None


def merge(new: Mapping[str, Any], old: Mapping[str, Any]) -> dict[str, Any]:
    """Return the old mapping with the new one's entries; mappings are merged in turn unless the new has `_delete_`."""
    merged = dict(old)
    for key, value in new.items():
        if isinstance(value, dict):
            before = merged.get(key)
            start = before if isinstance(before, dict) and not value.get("_delete_") else {}
            merged[key] = merge({name: item for name, item in value.items() if name != "_delete_"}, start)
        else:
            merged[key] = value
    return merged


def _parse(text: str, path: Path) -> Any:
    match path.suffix:
        case ".json":
            return json.loads(text)
        case ".yaml" | ".yml":
            loader = _Loader(text)
            node = loader.get_single_node()
            if node is None:
                return None
            check_values(node)
            return loader.construct_document(node)
        case ".py":
            return _assignments(text, path)
    raise UserError(f"ends in {path.suffix!r}", where=path, expected=FORMS)


def _assignments(text: str, path: Path) -> dict[str, Any]:
    """Return the names that a Python file assigns, with their values; nothing is executed."""
    names: dict[str, Any] = {}
    for statement in ast.parse(text).body:
        match statement:
            case ast.Assign(targets=[ast.Name(name)], value=value) if not _calls_methods(value):
                try:
                    names[name] = _value(value, names, path)
                    _check_size(names[name], value, path)
                except UserError as error:
                    names[name] = error
                except (ArithmeticError, TypeError):  # 1 / 0, a list as a key, a sum of strings
                    names[name] = _refused(value, path)
            case ast.Expr(ast.Constant(str())):
                pass
            case _:
                raise _refused(statement, path)
    return names


def _value(node: ast.expr, names: Mapping[str, Any], path: Path) -> Any:
    def inner(child: ast.expr) -> Any:
        return _value(child, names, path)

    match node:
        case ast.Constant(value):
            return value
        case ast.Name(name) if name in names and not isinstance(names[name], UserError):
            return names[name]
        case ast.List(items) if not _starred(items):
            return [inner(item) for item in items]
        case ast.Tuple(items) if not _starred(items):
            return tuple(inner(item) for item in items)
        case ast.Dict(keys, values):
            pairs = [{inner(k): inner(v)} if k else inner(v) for k, v in zip(keys, values, strict=True)]
            return _united(pairs, node, path)
        case ast.Call(ast.Name("dict"), others, keywords) if not _starred(others):
            pairs = [inner(other) for other in others]
            pairs += [{word.arg: inner(word.value)} if word.arg else inner(word.value) for word in keywords]
            return _united(pairs, node, path)
        case ast.Call(ast.Name("sum"), [ast.List(items)], []) if not _starred(items):
            return sum(inner(item) for item in items)
        case ast.UnaryOp(ast.USub(), operand) if isinstance(value := inner(operand), int | float):
            return -value
        case ast.BinOp(left, sign, right) if type(sign) in _OPERATORS:
            return _combined(inner(left), inner(right), sign, node, path)
        case ast.Subscript(container, index):
            return _item(inner(container), inner(index), node, path)
    raise _refused(node, path)


def _united(pairs: list[Any], node: ast.expr, path: Path) -> dict[Any, Any]:
    if not all(isinstance(pair, dict) for pair in pairs):
        raise _refused(node, path)
    return {key: value for pair in pairs for key, value in pair.items()}


def _item(container: Any, index: Any, node: ast.expr, path: Path) -> Any:
    try:
        return container[index]
    except (LookupError, TypeError):
        raise _refused(node, path) from None


def _combined(left: Any, right: Any, sign: ast.operator, node: ast.expr, path: Path) -> Any:
    """Combine numbers by any operator; join strings, lists and tuples; repeat lists and tuples a few times."""
    numbers = isinstance(left, int | float) and isinstance(right, int | float)
    joined = isinstance(sign, ast.Add) and type(left) is type(right) and isinstance(left, str | list | tuple)
    repeated = isinstance(sign, ast.Mult) and isinstance(left, list | tuple) and isinstance(right, int)
    length = len(left) + len(right) if joined else len(left) * right if repeated else 0
    if length <= _MOST_VALUES and (numbers or joined or repeated):
        result = _OPERATORS[type(sign)](left, right)
        if not numbers or abs(result) < _LARGEST:
            return result
    raise _refused(node, path)


def _check_size(value: Any, node: ast.expr, path: Path) -> None:
    """Raise UserError for a value of more than _MOST_VALUES parts: nesting one list in others can grow without end."""
    known: dict[int, int] = {}

    def size(part: Any) -> int:
        if not isinstance(part, dict | list | tuple):
            return 1
        if id(part) not in known:
            known[id(part)] = 1 + sum(map(size, part.values() if isinstance(part, dict) else part))
        return known[id(part)]

    if size(value) > _MOST_VALUES:
        raise _refused(node, path)


def _calls_methods(node: ast.expr) -> bool:
    """Whether the expression may change what was assigned earlier (`names.pop(...)`)."""
    return any(isinstance(part, ast.Call) and not isinstance(part.func, ast.Name) for part in ast.walk(node))


def _starred(items: list[ast.expr]) -> bool:
    return any(isinstance(item, ast.Starred) for item in items)


def _refused(node: ast.stmt | ast.expr, path: Path) -> UserError:
    return UserError(
        f"is code, which is not run: {ast.unparse(node).splitlines()[0][:100]}",
        where=f"{path}:{node.lineno}",
        expected=FORMS,
        fix=f"if you trust it: mmengine.Config.fromfile({path.name!r}).dump({path.stem + '.json'!r}), then pass that",
    )
