#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""peers.py TOOL: the mechanisms of others, where they are found, carry every message whole."""

import json

from results import sense, shape
from tool import FEW, Tap, expect, measure, run

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


def python(tap):
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
    tap.finish()


main()
