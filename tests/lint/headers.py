#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""headers.py INCLUDE-DIRS -- COMPILER...: each public header compiles alone, in each language."""

import os
import subprocess
import sys

from tap import Tap

LANGUAGES = [
    ("C99, pedantic", ["-x", "c", "-std=c99", "-pedantic"]),
    ("gnu11", ["-x", "c", "-std=gnu11"]),
    ("C++11, pedantic", ["-x", "c++", "-std=c++11", "-pedantic"]),
]
WARNINGS = ["-Wall", "-Wextra", "-Wundef", "-Werror", "-fsyntax-only"]


def headers_in(folders):
    for folder in folders:
        for where, _, names in os.walk(folder):
            for name in names:
                if name.endswith(".h"):
                    yield os.path.relpath(os.path.join(where, name), folder)


def compile_alone(compiler, flags, folders, header):
    includes = [argument for folder in folders for argument in ("-I", folder)]
    done = subprocess.run(
        compiler + flags + WARNINGS + includes + ["-"],
        # Twice: the include guard is tested too.
        input=f"#include <{header}>\n#include <{header}>\nextern int not_empty;\n",
        text=True, capture_output=True, check=False)
    return done.stderr.splitlines() if done.returncode else []


def main():
    split = sys.argv.index("--")
    folders, compiler = sys.argv[1:split], sys.argv[split + 1:]
    tap = Tap()
    for language, flags in LANGUAGES:
        for header in sorted(headers_in(folders)):
            tap.result(f"{header} compiles alone as {language}",
                       compile_alone(compiler, flags, folders, header))
    tap.finish()


main()
