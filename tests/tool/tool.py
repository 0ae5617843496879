# SPDX-License-Identifier: MIT
"""Running ipc-bench, and TAP output, for the scripts of this folder."""

import json
import os
import subprocess
import sys

TOOL = os.path.abspath(sys.argv[1])

# A run that is as short as it can be and still goes through everything; on a machine that is busy it
# takes what it takes, most of it for the floor.
SHORT = ["--repeat", "2", "--duration", "0.02", "--warmup", "0.01", "--max-time", "80"]
# The same by number.
FEW = ["--repeat", "1", "--messages", "300", "--warmup", "0"]


class Tap:
    def __init__(self):
        self.number = 0

    def result(self, name, problems=()):
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


def run(*arguments, **options):
    options.setdefault("timeout", 300)
    return subprocess.run([TOOL, *arguments], text=True, capture_output=True, check=False,
                          **options)


def expect(done, code, *texts):
    """What is wrong with the exit code, or missing in what was printed."""
    if done.returncode != code:
        yield f"{' '.join(done.args[1:])}: exit code {done.returncode}, not {code}: {done.stderr}"
    for text in texts:
        if text not in done.stdout + done.stderr:
            yield f"{' '.join(done.args[1:])}: does not say '{text}': {done.stderr}"


def measure(*arguments):
    """The JSON of a run."""
    done = run("run", "--json", "-", *arguments)
    if done.returncode != 0:
        raise SystemExit(f"Bail out! {' '.join(arguments)}: {done.returncode}: {done.stderr}")
    return json.loads(done.stdout)
