# SPDX-License-Identifier: MIT
"""What the public headers and the manual pages declare."""

import re

from tap import read, source_files

PUBLIC = re.compile(r"\bWEIR_PUBLIC\b[^;(]*?\b(weir_\w+)\s*\(")


def without_comments(text):
    return re.sub(r"/\*.*?\*/", " ", text, flags=re.DOTALL)


def public_functions(root):
    functions = set()
    for path in source_files(root, ".h"):
        if path.startswith("lib/include/"):
            functions.update(PUBLIC.findall(without_comments(read(root, path))))
    return functions


def names_of_page(text):
    """The .Nm of the NAME section."""
    section = re.search(r"^\.Sh NAME\n(.*?)^\.Sh ", text, re.DOTALL | re.MULTILINE)
    return re.findall(r"^\.Nm (\w[\w.-]*)", section.group(1), re.MULTILINE) if section else []


def functions_of_page(text):
    """What .Fn and .Fo name as declared functions."""
    return set(re.findall(r"^\.F[no] \"?(?:[\w *]*?)\*?(weir_\w+)", text, re.MULTILINE))
