"""Names to code: duplicate names, broken plugins, misspelt names."""

from __future__ import annotations

import sys
from importlib.metadata import Distribution, EntryPoint
from pathlib import Path

import pytest

from vssbench import registry
from vssbench.errors import UserError


class _Plugin(Distribution):
    """An installed distribution that exists in memory only."""

    def __init__(self, name: str):
        self._name = name

    def read_text(self, filename: str) -> str | None:
        return (
            f"Metadata-Version: 2.1\nName: {self._name}\nVersion: 1\nSummary: from outside\n"
            if filename == "METADATA"
            else None
        )

    def locate_file(self, path: object) -> Path:
        raise NotImplementedError


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch):
    """Call it with (name, target) to have an installed plugin offer that name in every group."""

    def offer(name: str, target: str, distribution: str = "acme-methods") -> None:
        def points(group: str) -> list[EntryPoint]:
            return [EntryPoint(name, target, group)._for(_Plugin(distribution))]

        monkeypatch.setattr(registry, "entry_points", points)
        registry.entries.cache_clear()

    yield offer
    registry.entries.cache_clear()


@pytest.mark.parametrize(("group", "name"), [("methods", "hold"), ("metrics", "mIoU"), ("datasets", "camvid")])
def test_name_registered_by_two_packages_is_refused(plugin, group: registry.Group, name: str) -> None:
    plugin(name, "acme:Anything")
    with pytest.raises(UserError) as caught:
        registry.entries(group)
    assert f"{name!r} in {group} is used twice: by vssbench and by acme-methods" in str(caught.value)
    assert "uninstall" in str(caught.value)


def test_plugin_is_listed_without_being_imported(plugin) -> None:
    plugin("fast", "module_that_is_not_there:Fast")
    entry = registry.entries("methods")["fast"]
    assert (entry.origin, entry.summary) == ("acme-methods", "from outside")


@pytest.mark.parametrize(
    ("source", "attribute", "reason"),
    [
        (None, "Fast", "No module named"),
        ("Slow = 1", "Fast", "has no attribute 'Fast'"),
        ("import a_package_that_is_missing", "Fast", "a_package_that_is_missing"),
        ("def broken(:", "Fast", "SyntaxError"),
        ("raise RuntimeError('no licence')", "Fast", "no licence"),
        ("1 / 0", "Fast", "ZeroDivisionError"),
    ],
)
def test_broken_plugin_is_one_error_message(plugin, tmp_path, monkeypatch, source, attribute, reason):
    if source is not None:
        (tmp_path / "acme_broken.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "acme_broken", raising=False)
    plugin("fast", f"acme_broken:{attribute}")
    with pytest.raises(UserError) as caught:
        registry.resolve("methods", "fast")
    message = str(caught.value)
    assert "acme-methods" in message
    assert "'fast'" in message
    assert reason in message


def test_unknown_name_gets_a_suggestion() -> None:
    with pytest.raises(UserError, match=r"unknown method 'flowwrap'\n.*did you mean 'flowwarp'"):
        registry.resolve("methods", "flowwrap")
    with pytest.raises(UserError, match="unknown dataset 'zzz'\n  expected: known: "):
        registry.resolve("datasets", "zzz")


def test_unknown_name_is_shortened_in_its_message() -> None:
    with pytest.raises(UserError) as error:
        registry.find("methods", "a" * 50_000)
    assert len(str(error.value)) < 1000


@pytest.mark.parametrize("group", ["methods", "metrics", "datasets"])
def test_every_built_in_name_can_be_imported(group: registry.Group) -> None:
    for name, entry in registry.entries(group).items():
        assert callable(registry.resolve(group, name)), name
        assert entry.summary, name


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory; sys.path is restored at the end."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    return tmp_path


def test_method_in_a_file_is_imported_and_reloaded_after_a_change(here: Path) -> None:
    (here / "beside_it.py").write_text("NUMBER = 3\n")
    (here / "mine.py").write_text(
        "from __future__ import annotations\nfrom dataclasses import dataclass\nfrom beside_it import NUMBER\n"
        "@dataclass\nclass Mine:\n    number: int = NUMBER\n"
    )
    made = registry.resolve("methods", "mine.py:Mine")
    assert made() == made(3)
    assert registry.resolve("methods", str(here / "mine.py") + ":Mine") is made
    assert registry.find("methods", "mine.py:Mine").origin == "mine.py"
    assert not list(here.rglob("*.pyc")) or {one.name[:9] for one in here.rglob("*.pyc")} == {"beside_it"}
    (here / "mine.py").write_text("class Mine: ...\n")  # the file as it is now, not as it was
    assert registry.resolve("methods", "mine.py:Mine") is not made


@pytest.mark.parametrize(
    ("source", "name", "message"),
    [
        (None, "mine.py:Mine", "mine.py: no such file"),
        (
            "class Main: ...",
            "mine.py:Mine",
            "has no class or function 'Mine'\n  expected: did you mean 'Main'",
        ),
        ("Mine = 3", "mine.py:Mine", "Mine is not a class or function"),
        ("\n1 / 0", "mine.py:Mine", "mine.py:2: cannot be imported: ZeroDivisionError: division by zero"),
        ("class Mine\n", "mine.py:Mine", "mine.py:1: cannot be imported: SyntaxError: expected ':'"),
        ("import not_there_at_all", "mine.py:Mine", "mine.py:1: cannot be imported: ModuleNotFoundError"),
        ("raise SystemExit(0)", "mine.py:Mine", "mine.py:1: cannot be imported: SystemExit: 0"),
        ("def f():\n  raise KeyError('x')\nf()", "mine.py:Mine", "mine.py:2: cannot be imported: KeyError: 'x'"),
    ],
)
def test_unusable_method_file_is_one_error_message(here: Path, source: str | None, name: str, message: str) -> None:
    if source is not None:
        (here / "mine.py").write_text(source)
    for _ in range(2):  # the first attempt leaves nothing behind
        with pytest.raises(UserError) as caught:
            registry.resolve("methods", name)
        assert message in str(caught.value)
        assert len(str(caught.value).splitlines()) <= 3


def test_metric_in_a_file_is_refused() -> None:
    with pytest.raises(UserError, match="entry point"):
        registry.resolve("metrics", "mine.py:Mine")
