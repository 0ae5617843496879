#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""totals.py ROOT: tools/test-totals counts, and fails, as it should."""

import json
import os
import subprocess
import sys
import tempfile

from tap import Tap

# Name, programs of a run as (result, standard output), the line, the status.
RUNS = [
    ("single results are counted", [("OK", "ok 1 - a\nok 2 - b\n1..2\n")],
     "2 passed, 0 failed, 0 skipped", 0),
    ("failures are counted", [("FAIL", "ok 1 - a\nnot ok 2 - b\n1..2\n")],
     "1 passed, 1 failed, 0 skipped", 1),
    ("what is skipped and left out is counted",
     [("OK", "# left out: x: why\nok 1 - a # SKIP why\nok 2\n1..2\n"), ("SKIP", "1..0 # SKIP\n")],
     "1 passed, 0 failed, 3 skipped", 0),
    ("a program that dies is a failure", [("ERROR", "ok 1 - a\n")],
     "1 passed, 1 failed, 0 skipped", 1),
    ("a program that hangs is a failure", [("TIMEOUT", ""), ("OK", "ok 1\n")],
     "1 passed, 1 failed, 0 skipped", 1),
    ("a program without TAP is one result", [("OK", "words\n"), ("FAIL", "words\n")],
     "1 passed, 1 failed, 0 skipped", 1),
    ("a run of nothing fails", [], "0 passed, 0 failed, 0 skipped", 1),
    ("a run where all is skipped fails", [("SKIP", "1..0 # SKIP\n")],
     "0 passed, 0 failed, 1 skipped", 1),
]


def main():
    script = os.path.join(sys.argv[1], "tools/test-totals")
    tap = Tap()
    for name, programs, line, status in RUNS:
        with tempfile.NamedTemporaryFile("w", prefix="weir-totals-", suffix=".json") as log:
            for result, stdout in programs:
                log.write(json.dumps({"name": "x", "result": result, "stdout": stdout}) + "\n")
            log.flush()
            done = subprocess.run([sys.executable, script, log.name], text=True, check=False,
                                  capture_output=True)
        tap.result(name, [] if (done.stdout, done.returncode) == (line + "\n", status) else
                   [f"{done.stdout.strip()}, status {done.returncode}"] + done.stderr.splitlines())
    tap.finish()


main()
