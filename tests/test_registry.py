"""Names to code: names taken twice, broken plugins, misspelt names."""

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
def test_a_name_taken_twice(plugin, group: registry.Group, name: str) -> None:
    plugin(name, "acme:Anything")
    with pytest.raises(UserError) as caught:
        registry.entries(group)
    assert f"{name!r} in {group} is taken twice: by vssbench and by acme-methods" in str(caught.value)
    assert "uninstall" in str(caught.value)


def test_a_plugin_is_listed_without_being_imported(plugin) -> None:
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
def test_a_broken_plugin_is_one_message(plugin, tmp_path, monkeypatch, source, attribute, reason):
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


def test_an_unknown_name_gets_a_suggestion() -> None:
    with pytest.raises(UserError, match=r"unknown method 'flowwrap'\n.*did you mean 'flowwarp'"):
        registry.resolve("methods", "flowwrap")
    with pytest.raises(UserError, match="unknown dataset 'zzz'\n  expected: known: "):
        registry.resolve("datasets", "zzz")


@pytest.mark.parametrize("group", ["methods", "metrics", "datasets"])
def test_every_own_name_can_be_imported(group: registry.Group) -> None:
    for name, entry in registry.entries(group).items():
        assert callable(registry.resolve(group, name)), name
        assert entry.summary, name
