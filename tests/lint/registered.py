#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""registered.py ROOT PATTERN=FILE,FILE...: the lists of the meson files are the folders' contents.

A file that nobody builds is a test that never runs. PATTERN is a glob from ROOT.
"""

import glob
import os
import sys

from tap import Tap


def main():
    root = sys.argv[1]
    tap = Tap()
    for argument in sys.argv[2:]:
        pattern, files = argument.split("=")
        listed = {file for file in files.split(",") if file}
        there = {os.path.relpath(path, root)
                 for path in glob.glob(os.path.join(root, pattern), recursive=True)}
        tap.result(f"{pattern} is all built",
                   [f"{path} is not in the meson file" for path in sorted(there - listed)] +
                   [f"{path} is in the meson file, but not there"
                    for path in sorted(listed - there)])
    tap.finish()


main()
