"""The top-level folders methods/, metrics/ and reports/ are installed as vssbench.methods and so on."""

from setuptools import find_packages, setup

FOLDERS = {"vssbench": "vssbench", **{f"vssbench.{name}": name for name in ("methods", "metrics", "reports")}}

setup(
    packages=[
        name
        for package, folder in FOLDERS.items()
        for name in [package, *(f"{package}.{inner}" for inner in find_packages(folder))]
    ],
    package_dir=FOLDERS,
)
