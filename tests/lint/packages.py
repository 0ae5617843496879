#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""packages.py ROOT: tools/packages provides what the meson files and tools/dev ask for."""

import re
import sys

from tap import Tap, read, source_files

ASKED = re.compile(r"\b(dependency|find_program)\(\s*'([^']+)'([^)]*)\)")
# Ours, not a package's.
OWN = {"dependency:weir"}


def asked_for(root):
    """What is asked for, and what is without an alternative: name -> the file that asks."""
    asked, needed = {}, {}
    for path in source_files(root, "meson.build"):
        text = re.sub(r"#.*", "", read(root, path))
        for kind, name, rest in ASKED.findall(text):
            name = ("program:" if kind == "find_program" else "dependency:") + name
            if "/" in name or name in OWN:
                continue
            asked[name] = path
            if not re.search(r"required:\s*false", rest):
                needed[name] = path
    return asked, needed


def main():
    root = sys.argv[1]
    tap = Tap()
    groups, provided, malformed = set(), {}, []
    for number, line in enumerate(read(root, "tools/packages").splitlines(), 1):
        fields = line.split("#")[0].split()
        if len(fields) == 1:
            malformed.append(f"tools/packages:{number}: a group without a package")
        if len(fields) < 2:
            continue
        groups.add(fields[0])
        provided.update({name: fields[1] for name in fields[2:]})
    asked, needed = asked_for(root)
    tap.result("the list of packages can be read", malformed)
    tap.result("each dependency of the build has a package",
               [f"{path}: {name}" for name, path in needed.items() if name not in provided])
    tap.result("each package of a library is asked for",
               [f"{package}: nobody asks for {name}" for name, package in provided.items()
                if name.startswith("dependency:") and name not in asked])
    used = re.findall(r"^\s*need ([a-z0-9 ]+)$", read(root, "tools/dev"), re.MULTILINE)
    used = {group for line in used for group in line.split()}
    tap.result("tools/dev installs each group",
               [f"{group} is only in one of tools/packages and tools/dev"
                for group in sorted(groups ^ used)])
    tap.finish()


main()
