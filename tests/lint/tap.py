# SPDX-License-Identifier: MIT
"""TAP output and the list of source files, for the scripts of this folder."""

import os
import sys

# The order of lib's layers: each may include only itself and those before it.
LAYERS = ["base", "sys", "mem", "wait", "ring", "uring", "obj", "mgr", "csp"]


class Tap:
    def __init__(self):
        self.number = 0

    def result(self, name, problems):
        """One test; it passed if @problems, lines of text, is empty."""
        self.number += 1
        problems = list(problems)
        print(f"{'not ok' if problems else 'ok'} {self.number} - {name}")
        # To standard error, because that is what meson test --print-errorlogs shows.
        for problem in problems:
            print(f"  {problem}", file=sys.stderr)

    def skip(self, name, reason):
        self.number += 1
        print(f"ok {self.number} - {name} # SKIP {reason}")

    def finish(self):
        print(f"1..{self.number}")


def source_files(root, *endings):
    """Paths below @root, relative to it, of all that belongs to the source."""
    for folder, folders, names in os.walk(root):
        relative = os.path.relpath(folder, root)
        folders[:] = sorted(
            name
            for name in folders
            if name != "__pycache__"
            # Inputs of the fuzzed functions: any bytes.
            and name != "corpus"
            and (not name.startswith(".") or name == ".ci")
            and not (relative == "." and name.startswith("build"))
            # A build folder by any name.
            and not os.path.exists(os.path.join(folder, name, "build.ninja"))
        )
        for name in sorted(names):
            # A file where a tree has its repository elsewhere.
            if name == ".git":
                continue
            if not endings or name.endswith(endings):
                yield os.path.normpath(os.path.join(relative, name))


def read(root, path):
    with open(os.path.join(root, path), encoding="utf-8") as file:
        return file.read()
