#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""readme.py ROOT BUILD MESON PKG-CONFIG COMPILER...: the example of the README works as written.

It is the C block below the line "<!-- test: example -->". weir is installed into an empty folder,
the example compiled against that with pkg-config and nothing else, and run. If a line
"<!-- test: output -->" follows, the block below that one is what it prints.
"""

import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lint"))

from tap import Tap  # noqa: E402

BLOCK = r"<!-- test: %s -->\s*```\w*\n(.*?)^```"


def block(text, name):
    match = re.search(BLOCK % name, text, re.DOTALL | re.MULTILINE)
    return match.group(1) if match else None


def run(tap, name, command, env=None):
    """Run as one test; what it prints, or None if it failed."""
    done = subprocess.run(command, text=True, capture_output=True, check=False, timeout=120,
                          env={**os.environ, **(env or {})})
    lines = (done.stdout + done.stderr).splitlines()
    tap.result(name, lines or ["no output"] if done.returncode else [])
    return None if done.returncode else done.stdout


def folder_of(root, name):
    for folder, _, names in os.walk(root):
        if name in names:
            return folder
    return None


def check(tap, example, output, folder, build, meson, pkg_config, compiler):
    installed = os.path.join(folder, "installed")
    source, program = os.path.join(folder, "example.c"), os.path.join(folder, "example")
    with open(source, "w", encoding="utf-8") as file:
        file.write(example)
    if run(tap, "meson install --destdir",
           [meson, "install", "-C", build, "--no-rebuild", "--quiet", "--destdir",
            installed]) is None:
        return
    flags = run(tap, "pkg-config finds weir",
                [pkg_config, "--cflags", "--libs", "weir"],
                {"PKG_CONFIG_PATH": folder_of(installed, "weir.pc") or "",
                 "PKG_CONFIG_SYSROOT_DIR": installed})
    if flags is None:
        return
    if run(tap, "the example compiles",
           compiler + ["-Wall", "-Werror", source, "-o", program] + flags.split()) is None:
        return
    printed = run(tap, "the example runs", [program],
                  {"LD_LIBRARY_PATH": folder_of(installed, "libweir.so.0") or ""})
    if printed is not None and output is not None:
        tap.result("the example prints what the README says",
                   [] if printed == output else [f"printed: {printed!r}"])


def main():
    root, build, meson, pkg_config, *compiler = sys.argv[1:]
    readme = os.path.join(root, "README.md")
    tap = Tap()
    if not os.path.exists(readme):
        tap.skip("the example of the README", "there is no README.md")
    else:
        with open(readme, encoding="utf-8") as file:
            text = file.read()
        example = block(text, "example")
        tap.result("the README has an example", [] if example else ["no <!-- test: example -->"])
        if example:
            with tempfile.TemporaryDirectory(prefix="weir-readme-") as folder:
                check(tap, example, block(text, "output"), folder, build, meson, pkg_config,
                      compiler)
    tap.finish()


main()
