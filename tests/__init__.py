"""A package, so that another one named `tests` (mmsegmentation installs one) does not hide this folder."""
