#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""run-example.py PROGRAM EXPECTED: the example ends well and prints what is written beside it."""

import difflib
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lint"))

from tap import Tap  # noqa: E402


def main():
    program, expected = sys.argv[1:]
    done = subprocess.run([program], text=True, capture_output=True, check=False, timeout=60)
    with open(expected, encoding="utf-8") as file:
        difference = difflib.unified_diff(file.read().splitlines(), done.stdout.splitlines(),
                                          "expected", "printed", lineterm="")
    name = os.path.basename(program)
    tap = Tap()
    tap.result(f"{name} ends with status 0",
               [] if done.returncode == 0 else [f"status {done.returncode}"] +
               done.stderr.splitlines())
    tap.result(f"{name} prints what it should", difference)
    tap.finish()


main()
