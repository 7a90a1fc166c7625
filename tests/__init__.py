"""A package, so that a different package named `tests` (mmsegmentation installs one) does not hide this folder."""
