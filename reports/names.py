"""How a row is identified: its name in a table, a short one for plots, the spec behind the name, and the weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePath

from vssbench.environment import commit_of
from vssbench.reports.rows import Row
from vssbench.results.record import RunResult
from vssbench.results.signature import SHORT
from vssbench.specs import INSIDE, Spec, inside, parse

RUN = " @ "
"""The separator between a method and its run, where several measurements of it are shown."""


def names(rows: Sequence[Row]) -> list[str]:
    """Return the methods; one that was measured repeatedly has its run: `mpvss @ monday, 2026-05-04, 1a2b3c4d`."""
    return _with_runs([row.called or row.method for row in rows], rows)


def short_names(rows: Sequence[Row]) -> list[str]:
    """Return the same in a few words, for plots."""
    methods = [row.called or row.method for row in rows]
    shorts = [row.called or (row.method if row.origin == "published" else short(row.method)) for row in rows]
    return _with_runs(clear(shorts, methods), rows)


def runs(rows: Sequence[Row]) -> list[str]:
    """Return each row's run by folder, date and commit, as far as they are known; for a published row its source.

    Folders with the same name are told apart by their parent folders.
    """
    places = [row.folder.resolve().parent.parts if row.folder else () for row in rows]
    depth = 1
    while len({place[-depth:] for place in places}) < len(set(places)):
        depth += 1
    return [
        row.source or ""
        if row.result is None
        else ", ".join(filter(None, ["/".join(place[-depth:]), *_when(row.result)]))
        for place, row in zip(places, rows, strict=True)
    ]


def _when(result: RunResult) -> list[str | None]:
    return [(result.started or "")[:10], commit_of(result.environment, SHORT)]


def _with_runs(shown: Sequence[str], rows: Sequence[Row]) -> list[str]:
    """Return the names; a name that several rows share is followed by the run, or by a number if that is not enough."""
    count, seen = Counter(shown), Counter[str]()
    found = []
    for name, run in zip(shown, runs(rows), strict=True):
        whole = f"{name}{RUN}{run}" if count[name] > 1 and run else name
        seen[whole] += 1
        found.append(whole if seen[whole] == 1 else f"{whole} #{seen[whole]}")
    return found


def resolved(row: Row) -> str | None:
    """Return the spec with every default, where the method's name does not say it all."""
    found = row.result.resolved if row.result else None
    return (found or row.method) if row.called else None if found == row.method else found


def weights(result: RunResult) -> str | None:
    """Return where the weights are from, or why there are none; None for a method that never has any.

    A file is identified by its hash, not by where it was.
    """
    found = result.weights
    if found.origin == "none":
        return None
    if found.sha256 is None:
        return found.origin
    return f"{found.origin} {PurePath(found.path or '').name}, sha256 {found.sha256[:12]}"


def plugins(row: Row) -> list[tuple[str, str]]:
    """Return (distribution, version) or (file, digest) of code behind the row that is not the package's own."""
    return list((row.result.environment.get("plugins") or {}).items()) if row.result else []


def short(method: str) -> str:
    """Put a method's spec in a few words: what it wraps, its backbone, its key-frame interval as K, the rest as given.

    >>> short("mpvss(backbone=swin_t,key_interval=3)"), short("hold(of=mask2former)")
    ('mpvss swin_t K=3', 'hold of mask2former')
    >>> short("accel(key_interval=3,reference=mask2former,update=psp18(scale=0.5))")
    'accel of mask2former and psp18 scale=0.5 K=3'
    >>> short("hold(of=code/my_file.py:MyMethod(k=3))")
    'hold of MyMethod k=3'
    >>> short("flowwarp(key_interval=auto(max=10,threshold=12),of=replay(predictions=out/labels))")
    'flowwarp of replay K=auto predictions=labels'
    """
    name, said = _in_words(parse(method))
    return " ".join([name, *said])


def _in_words(spec: Spec) -> tuple[str, list[str]]:
    """Return names from the outside in, and arguments; two inner methods each keep their own arguments next to them."""
    name, within = spec.name.rpartition(":")[2], inside(spec)
    said = [_said(key, value) for key, value in spec.args if key not in INSIDE]
    if len(within) == 1:
        inner, more = _in_words(within[0])
        return f"{name} of {inner}", said + more
    return f"{name} of {' and '.join(short(str(one)) for one in within)}" if within else name, said


def shortened(named: Sequence[str]) -> list[str]:
    """Return short names of methods, still distinct; the run after a name is kept.

    >>> shortened(["mpvss(backbone=r50)", "hold(of=mpvss) @ monday", "hold(of=mpvss) @ friday"])
    ['mpvss r50', 'hold of mpvss @ monday', 'hold of mpvss @ friday']
    """
    parts = [name.partition(RUN) for name in named]
    methods = [method for method, _, _ in parts]
    shorts = clear([short(method) for method in methods], methods)
    return [name + separator + run for name, (_, separator, run) in zip(shorts, parts, strict=True)]


def clear(names: Sequence[str], whole: Sequence[str]) -> list[str]:
    """Return the names, with ambiguous ones replaced by the whole ones.

    >>> clear(["a K=auto", "a K=auto", "b", "b"], ["a(key_interval=auto(max=3))", "a(key_interval=auto)", "b", "b"])
    ['a(key_interval=auto(max=3))', 'a(key_interval=auto)', 'b', 'b']
    """
    meant: dict[str, set[str]] = {}
    for name, full in zip(names, whole, strict=True):
        meant.setdefault(name, set()).add(full)
    return [name if len(meant[name]) == 1 else full for name, full in zip(names, whole, strict=True)]


def _said(key: str, value: object) -> str:
    if key == "key_interval":
        return f"K={value.name if isinstance(value, Spec) else value}"
    if isinstance(value, str):
        value = value.rstrip("/").rpartition("/")[2]
    return str(value) if key == "backbone" else str(Spec("a", ((key, value),)))[2:-1]
