#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""value.py TOOL: no increment is lost, and no read is of two values."""

import json

from results import name_of, sense, shape
from tool import FEW, Tap, expect, measure, run

# Long enough for both of two processes to run, also on a machine that is busy.
TIMED = ["--repeat", "1", "--duration", "0.1", "--warmup", "0", "--max-time", "80"]

OPS = {
    "increment": {"weir-value", "weir-value-data", "weir-array", "pthread-mutex"},
    "atomic": {"weir-value", "weir-array", "atomic"},
    "read": {"weir-value", "weir-array", "pthread-mutex", "seqlock", "memcpy"},
    "read-write": {"weir-value", "weir-array", "pthread-mutex", "seqlock"},
}


def numbers(tap):
    done = measure("--workload", "value", "--op", "increment,atomic", "--processes", "1,3",
                   "--size", "64,4K", *FEW)
    problems = [p for result in done["results"] for p in (*shape(result), *sense(result))]
    for result in done["results"]:
        if result["messages"] != 300 * result["repeats"] or result["size_bytes"] != 8:
            problems.append(f"{name_of(result)}: {result['messages']}")
    there = {(result["mechanism"], result["op"], result["processes"])
             for result in done["results"]}
    problems += [f"{name} {op} by {n}" for op in ("increment", "atomic") for name in OPS[op]
                 for n in (1, 3) if (name, op, n) not in there]
    tap.result("each increment counts once", problems)


def contents(tap):
    asked = ["--workload", "value", "--touch", "full,none", "--size", "61,4K"]
    done = measure(*asked, "--op", "read", *FEW)
    done["results"] += measure(*asked, "--op", "read-write", *TIMED)["results"]
    problems = [p for result in done["results"] for p in (*shape(result), *sense(result))]
    for result in done["results"]:
        if result["processes"] != (2 if result["op"] == "read-write" else 1):
            problems.append(f"{name_of(result)}: {result['processes']}")
        if result["fairness"] is not None:
            problems.append(f"{name_of(result)}: one reads, and that is fair")
    there = {(result["mechanism"], result["op"], result["size_bytes"], result["touch"])
             for result in done["results"]}
    problems += [f"{name} {op} {size} {touch}" for op in ("read", "read-write") for name in OPS[op]
                 for size in (61, 4096) for touch in ("full", "none")
                 if (name, op, size, touch) not in there]
    tap.result("no read is of two values, or of one before", problems)


def words(tap):
    done = run("run", "--workload", "value", "--mechanism", "memcpy,pthread-mutex", "--cpus", "0",
               *TIMED)
    tap.result("the table has the operations",
               expect(done, 0, "value increment by 4", "value read ", "value read-write", "floor",
                      "skipped: memcpy, 64 B value", "half of what is written"))
    done = run("run", "--workload", "value", "--mechanism", "pipe,futex", *FEW)
    tap.result("what is no value is skipped with a reason",
               expect(done, 5, "skipped: pipe", "is no value"))
    known = {one["name"]: one["value"] for one in
             json.loads(run("list", "--json").stdout)["mechanisms"]}
    tap.result("list says which operations there are",
               [f"{name}: {known[name]}" for op, names in OPS.items() for name in names
                if op not in known[name]] + [str(known["pipe"])] * len(known["pipe"]))


def main():
    tap = Tap()
    numbers(tap)
    contents(tap)
    words(tap)
    tap.finish()


main()
