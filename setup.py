"""The top-level folders methods/, metrics/ and reports/ are installed as vssbench.methods and so on.

README.md is shown by package indexes too, which have no files next to it: its links are made absolute.
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

FOLDERS = {"vssbench": "vssbench", **{f"vssbench.{name}": name for name in ("methods", "metrics", "reports")}}
REPOSITORY = "https://github.com/vssbench/vssbench"
RAW = "https://raw.githubusercontent.com/vssbench/vssbench/main"


def readme() -> str:
    """README.md, its links to files leading to the repository and its pictures to the files themselves."""
    text = Path(__file__).with_name("README.md").read_text(encoding="utf-8")
    text = re.sub(r"\]\((?!\w+:|#)", f"]({REPOSITORY}/blob/main/", text)
    return re.sub(r'(src|srcset)="(?!\w+:)', rf'\1="{RAW}/', text)


setup(
    packages=[
        name
        for package, folder in FOLDERS.items()
        for name in [package, *(f"{package}.{inner}" for inner in find_packages(folder))]
    ],
    package_dir=FOLDERS,
    long_description=readme(),
    long_description_content_type="text/markdown",
)
