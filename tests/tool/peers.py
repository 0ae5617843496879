#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""peers.py TOOL: the mechanisms of others, where they are found, carry every message whole."""

import json

from results import sense, shape
from tool import FEW, SHORT, Tap, expect, measure, run

PEERS = ("zeromq", "nng", "python-pipe", "python-queue")
FEWER = ["--repeat", "1", "--messages", "20", "--warmup", "0"]


def loads(name, tap):
    # Not a whole number of words.
    done = measure("--mechanism", name, "--workload", "rtt,stream,oneway", "--size", "61", *FEW)
    tap.result(f"{name}: each workload is sound",
               [p for result in done["results"] for p in (*shape(result), *sense(result))])
    there = {result["workload"] for result in done["results"]}
    tap.result(f"{name}: all workloads", {"rtt", "stream", "oneway"} - there)
    tap.result(f"{name}: its rows have its label",
               [result["workload"] for result in done["results"]
                if ("used from Python" in result["warnings"]) != ("python" in name)])


def contents(name, tap):
    # Larger than any buffer between two processes.
    done = measure("--mechanism", name, "--workload", "stream", "--size", "1M", *FEWER)
    tap.result(f"{name}: large messages",
               [p for result in done["results"] for p in sense(result)])
    done = measure("--mechanism", name, "--workload", "stream", "--size", "4K", "--touch",
                   "line,none", *FEWER)
    tap.result(f"{name}: other contents",
               [p for result in done["results"] for p in sense(result)])


def ring(tap):
    """Records of ConcurrencyKit, with the calls for one and those for many."""
    asked = ["--mechanism", "ck-ring", "--wait", "adaptive", "--size", "8,64,64K"]
    done = measure(*asked, "--workload", "rtt,stream,oneway,mpmc", *FEW)
    tap.result("ck-ring: each workload is sound",
               [p for result in done["results"] for p in (*shape(result), *sense(result))])
    there = {(result["workload"], result["size_bytes"]) for result in done["results"]}
    tap.result("ck-ring: each ran", [] if len(there) == 12 else done["skipped"])
    done = measure(*asked, "--workload", "mpmc", "--producers", "3", "--consumers", "2", *SHORT)
    tap.result("ck-ring: several on each side",
               [p for result in done["results"] for p in sense(result)])
    done = measure("--mechanism", "ck-ring", "--wait", "spin", "--workload", "stream",
                   "--capacity", "1000", "--force", *FEW)
    tap.result("ck-ring: one record of a power of two stays empty",
               [f"{result['capacity_msgs']} messages" for result in done["results"]
                if result["capacity_msgs"] != 7])
    done = run("run", "--mechanism", "ck-ring", "--wait", "own,spin", "--force", "--size", "61",
               *FEW)
    tap.result("ck-ring: what it cannot do is skipped",
               expect(done, 5, "no call that waits", "powers of two"))


def python(tap):
    for producers, consumers in (("3", "1"), ("2", "2")):
        done = measure("--mechanism", "python-queue", "--workload", "mpmc", "--producers", producers,
                       "--consumers", consumers, "--size", "61,64,4K", *FEW)
        tap.result(f"python-queue: {producers} to {consumers}",
                   [p for result in done["results"] for p in (*shape(result), *sense(result))])
        tap.result(f"python-queue: {producers} to {consumers}, each message once",
                   [f"{result['messages']} messages" for result in done["results"]
                    if result["messages"] != 300 * result["repeats"]])
    done = run("run", "--mechanism", "python-pipe", "--wait", "spin", *FEW)
    tap.result("python-pipe: does not pretend to spin",
               expect(done, 5, "skipped: python-pipe", "cannot send without waiting"))


def main():
    tap = Tap()
    known = {one["name"]: one for one in json.loads(run("list", "--json").stdout)["mechanisms"]}
    for name in PEERS:
        if not known[name]["available"]:
            tap.skip(name, known[name]["reason"])
            continue
        loads(name, tap)
        contents(name, tap)
    if known["python-pipe"]["available"]:
        python(tap)
    if known["ck-ring"]["available"]:
        ring(tap)
    tap.finish()


main()
