#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""lock.py TOOL: every acquisition counts once, by each kind of lock."""

import json

from results import name_of, sense, shape
from tool import FEW, Tap, expect, measure, run

# Long enough for both of two processes to run, also on a machine that is busy.
TIMED = ["--repeat", "1", "--duration", "0.1", "--warmup", "0", "--max-time", "80"]

LOCKS = {"weir-lock", "weir-lock-recursive", "pthread-mutex", "pthread-robust", "posix-sem",
         "futex", "flock", "sysv-sem"}


def counts(tap):
    done = measure("--workload", "lock", "--processes", "1,3", *FEW)
    problems = [p for result in done["results"] for p in (*shape(result), *sense(result))]
    for result in done["results"]:
        if result["messages"] != 300 * result["repeats"] or len(result["cpus"]) != result["processes"]:
            problems.append(f"{name_of(result)}: {result['messages']} by {result['cpus']}")
        if (result["size_bytes"], result["op"], result["hold_ns"]) != (8, None, 0):
            problems.append(f"{name_of(result)}: {result['op']}, {result['hold_ns']}")
        if result["fairness"] is not None:
            problems.append(f"{name_of(result)}: shares that were given have a fairness")
    there = {(result["mechanism"], result["processes"]) for result in done["results"]}
    problems += [f"{name} by {n}" for name in LOCKS for n in (1, 3) if (name, n) not in there]
    tap.result("each acquisition counts once", problems)
    tap.result("what is no lock is left out without a word", done["skipped"])
    labels = {result["mechanism"] for result in done["results"]
              if "used from Python" in result["warnings"]}
    tap.result("the lock of Python has its label", labels ^ (labels & {"python-lock"}))


def shares(tap):
    done = measure("--workload", "lock", "--mechanism", "pthread-robust,futex", "--processes", "2",
                   *TIMED)
    tap.result("by time: shares have a fairness",
               [p for result in done["results"] for p in sense(result)] +
               [f"{name_of(result)}: {result['fairness']}" for result in done["results"]
                if result["fairness"] is None or not 0 <= result["fairness"] <= 1])


def holding(tap):
    asked = ["--workload", "lock", "--mechanism", "pthread-robust", "--processes", "1", *FEW]
    done = measure(*asked, "--hold", "20000", "--think", "30000")
    problems = [p for result in done["results"] for p in sense(result)]
    for result in done["results"]:
        if (result["hold_ns"], result["think_ns"]) != (20000, 30000):
            problems.append(f"{result['hold_ns']} and {result['think_ns']}")
        if result["latency_ns"]["min"] < 20000 or result["msgs_per_s"]["median"] > 20000:
            problems.append(f"{result['latency_ns']['min']} ns held, and all that "
                            f"{result['msgs_per_s']['median']} times a second")
    tap.result("what is held is held", problems)


def words(tap):
    done = run("run", "--workload", "lock", "--mechanism", "futex", "--processes", "2", "--cpus", "0",
               *TIMED)
    tap.result("the table has the numbers", expect(done, 0, "lock by 2", "/op", "fair"))
    done = run("run", "--workload", "lock,stream", "--mechanism", "pipe,futex", "--processes", "1",
               *FEW)
    tap.result("what was named is skipped with a reason",
               expect(done, 0, "skipped: pipe, 8 B lock", "is no lock",
                      "skipped: futex, 64 B stream", "carries no messages"))
    for option, value, text in (("--batch", "2", "nothing is sent"),
                                ("--capacity", "64K", "nothing queued"),
                                ("--wait", "spin", "its own way"),
                                ("--producers", "2", "--processes"),
                                ("--engine", "uring", "io_uring")):
        done = run("run", "--workload", "lock", "--mechanism", "futex", option, value, *FEW)
        tap.result(f"{option} {value} means nothing to a lock", expect(done, 5, text))
    known = json.loads(run("list", "--json").stdout)["mechanisms"]
    tap.result("list says which are locks",
               sorted(LOCKS - {one["name"] for one in known if one["lock"]}))
    tap.result("list: a lock copies nothing",
               [one["name"] for one in known if one["name"] in LOCKS and one["copies"] is not None])


def main():
    tap = Tap()
    counts(tap)
    shares(tap)
    holding(tap)
    words(tap)
    tap.finish()


main()
