#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""registry.py TOOL ROOT: nothing of ipc-bench is forgotten in a list."""

import json
import os
import re
import sys

from tool import Tap, run

# Not for users.
HIDDEN = {"selftest", "selftest-zc", "selftest-lock", "selftest-value"}


def read(*path):
    with open(os.path.join(sys.argv[2], *path), encoding="utf-8") as file:
        return file.read()


def differences(a, b, name_of_a, name_of_b):
    return [f"{x}: only in {name_of_a}" for x in sorted(a - b)] + \
           [f"{x}: only in {name_of_b}" for x in sorted(b - a)]


def main():
    tap = Tap()
    folder = os.listdir(os.path.join(sys.argv[2], "tools/ipc-bench"))
    files = {name[5:-2] for name in folder if re.fullmatch(r"mech-.*\.c", name)}
    names = {one["name"] for one in json.loads(run("list", "--json").stdout)["mechanisms"]}
    tap.result("mechanisms: the folder and the registry",
               differences(files, names | HIDDEN, "the folder", "the registry"))
    built = set(re.findall(r"'([\w-]+\.c)'", read("tools/ipc-bench/meson.build")))
    tap.result("sources: the folder and the meson file",
               differences({name for name in folder if name.endswith(".c")}, built,
                           "the folder", "the meson file"))
    page = read("doc/man/ipc-bench.1")
    described = page[page.index(".Ss Mechanisms"):page.index(".Ss Workloads")]
    tap.result("mechanisms: the manual page has each",
               [name for name in sorted(names) if not re.search(rf"{name}\b", described)])
    tests = os.listdir(os.path.join(sys.argv[2], "tests/tool"))
    listed = set(re.findall(r"'(\w+)':", read("tests/tool/meson.build")))
    tap.result("tests: the folder and the meson file",
               differences({name[:-3] for name in tests if name.endswith(".py")} -
                           {"tool", "results"}, listed, "the folder", "the meson file"))
    for command in ("run", "quick", "list", "floor", "env", "selftest"):
        options = re.findall(r"^  --([\w-]+)", run(command, "--help").stdout, re.MULTILINE)
        tap.result(f"{command}: the manual page has each option",
                   [name for name in options if f"Fl -{name}" not in page])
    tap.finish()


main()
