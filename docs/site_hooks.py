"""What the site makes of the repository: pages of the Markdown files at the top, lists of the fields in docstrings."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from griffe import Extension, Object
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
PAGES = {"README.md": "overview.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
LINK = re.compile(r'(\]\(|(?:src|srcset)=")(?!\w+:|#)([^)"#]+)')


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages."""
    for name, page in PAGES.items():
        text = placed(ROOT.joinpath(name).read_text("utf-8"), "", config)
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links that leave docs/ lead to the pages made here, or to the repository."""
    return markdown if page.file.src_uri in PAGES.values() else placed(markdown, f"docs/{page.file.src_uri}", config)


def placed(text: str, source: str, config: MkDocsConfig) -> str:
    """Markdown with the links that it needs in the site. source: its file in docs/, empty for one at the top."""

    def target(match: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(posixpath.dirname(source), match[2]))
        if path in PAGES:
            path = f"docs/{PAGES[path]}"
        if not path.startswith("docs/"):
            return f"{match[1]}{config.repo_url}/blob/main/{path}"
        return match[1] + posixpath.relpath(path, posixpath.dirname(source) or "docs")

    return LINK.sub(target, text)


class FieldLists(Extension):
    """Lines `name: what it is` in a docstring are a list, and `>>>` begins code: as paragraphs they run together."""

    FIELD = re.compile(r"^(\w+(?:, \w+)*): +(?=\S)")

    def on_instance(self, *, obj: Object, **_: Any) -> None:
        if obj.docstring:
            summary, *blocks = obj.docstring.value.split("\n\n")
            obj.docstring.value = "\n\n".join([self.parted(summary), *map(self.listed, blocks)])

    def parted(self, summary: str) -> str:
        """The first sentence by itself, whatever it looks like; fields may follow it without an empty line."""
        first, *others = summary.splitlines()
        return "\n".join([first, self.listed("\n".join(others))]) if others else first

    def listed(self, block: str) -> str:
        """The block with its fields as items; as it is, unless every line is a field or goes on with one."""
        if block.startswith(">>> "):
            return f"```pycon\n{block}\n```"
        lines = block.splitlines()
        first = next((number for number, line in enumerate(lines) if self.FIELD.match(line)), None)
        if first is None or any(not (self.FIELD.match(line) or line.startswith(" ")) for line in lines[first:]):
            return block
        items = [self.FIELD.sub(r"* `\1`: ", line) for line in lines[first:]]
        return "\n".join([*lines[:first], "", *items])
