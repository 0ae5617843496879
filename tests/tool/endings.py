#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""endings.py TOOL: placement, limits, exit codes."""

import json
import os
import tempfile

from results import name_of, sense
from tool import SHORT, Tap, expect, measure, run


def placement(tap):
    done = measure("--mechanism", "weir-pipe,pipe,sem-shm", "--cpus", "0", *SHORT)
    tap.result("one CPU: same-cpu, and it works",
               [p for result in done["results"] for p in sense(result)] +
               [name_of(result) for result in done["results"]
                if result["placement"] != "same-cpu"])
    done = measure("--mechanism", "pipe", "--cpus", "none", *SHORT)
    tap.result("not pinned: unpinned",
               [name_of(result) for result in done["results"]
                if result["placement"] != "unpinned" or result["cpus"] != [None, None]])
    done = run("run", "--mechanism", "pipe", "--wait", "spin", "--cpus", "0", *SHORT)
    tap.result("spinning on one CPU is refused: nothing ran", expect(done, 5, "CPU", "--force"))
    done = run("run", "--mechanism", "pipe", "--wait", "spin", "--cpus", "0", "--force",
               "--workload", "stream", *SHORT)
    tap.result("spinning on one CPU can be forced", expect(done, 0, "same-cpu"))


def endings(tap):
    done = run("run", "--mechanism", "sysv-mq", "--wait", "adaptive")
    tap.result("nothing ran: 5", expect(done, 5, "nothing ran"))
    done = run("run", "--mechanism", "pipe", "--producers", "2", *SHORT)
    tap.result("two producers: 5, with the reason", expect(done, 5, "one producer"))
    # A machine that is busy may not come to a first repeat in that time.
    for limit in ("3", "10", "30"):
        done = run("run", "--mechanism", "pipe", "--max-time", limit, "--repeat", "1000")
        if done.returncode != 5:
            break
    tap.result("the time limit holds", expect(done, 0, "stopped"))
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "out.json")
        done = run("run", "--mechanism", "pipe", "--json", path, *SHORT)
        problems = list(expect(done, 0, "pipe"))
        with open(path, encoding="utf-8") as file:
            if json.load(file)["command"][1:4] != ["run", "--mechanism", "pipe"]:
                problems.append("not the command that was given")
        tap.result("JSON to a file, the table to standard output", problems)


def main():
    tap = Tap()
    placement(tap)
    endings(tap)
    tap.finish()


main()
