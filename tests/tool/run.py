#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""run.py TOOL: everything that can be selected runs, and its JSON has what the manual page says."""

import json

from results import TOP, lacks, name_of, sense, shape
from tool import Tap, measure, run


def per_message(result):
    """System calls of those whose number is known beforehand, END markers and such not counted."""
    if result["wait"] != "own" or result["syscalls_source"] != "tracepoint":
        return
    if result["mechanism"] in ("pipe", "fifo") and result["size_bytes"] == 64:
        wanted = 4 if result["workload"] == "rtt" else 2
        if abs(result["syscalls_per_msg"] - wanted) > 0.05 * wanted:
            yield f"{name_of(result)}: {result['syscalls_per_msg']} system calls a message"


# Those of peers.py, which take longer to start.
PEERS = {"zeromq", "nng", "python-pipe", "python-queue"}


def everything(tap):
    names = [one["name"] for one in json.loads(run("list", "--json").stdout)["mechanisms"]
             if one["name"] not in PEERS]
    done = measure("--mechanism", ",".join(names), "--workload", "rtt,stream", "--wait",
                   "own,spin,block,adaptive", "--repeat", "1", "--duration", "0.01", "--warmup",
                   "0.003", "--seed", "1", "--max-time", "150")
    results = done["results"]
    tap.result("all keys of the run", lacks(done, TOP, "run"))
    tap.result("all keys of each result", [p for result in results for p in shape(result)])
    tap.result("each result is sound", [p for result in results for p in sense(result)])
    tap.result("a pipe needs the system calls that it needs",
               [p for result in results for p in per_message(result)])
    there = {(result["mechanism"], result["workload"], result["wait"]) for result in results}
    gone = {(skip["mechanism"], skip["workload"], skip["wait"]) for skip in done["skipped"]}
    tap.result("what was selected ran or is skipped",
               [f"{name} {load} {wait}" for name in names for load in ("rtt", "stream")
                for wait in ("own", "spin", "block", "adaptive")
                if (name, load, wait) not in there | gone])
    tap.result("a System V queue is not polled",
               [] if ("sysv-mq", "rtt", "adaptive") in gone else ["it ran"])


def main():
    tap = Tap()
    everything(tap)
    tap.finish()


main()
