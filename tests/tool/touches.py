#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""touches.py TOOL: ways to fill and read messages, and batches of them."""

from results import sense
from tool import FEW, SHORT, Tap, measure


def touches(tap):
    done = measure("--mechanism", "weir-pipe,weir-pipe-zc,weir-queue,weir-queue-zc,pipe", "--workload",
                   "stream,rtt", "--size", "61,4K", "--touch", "full,wide,line,none", *FEW)
    tap.result("each touch keeps every message whole",
               [p for result in done["results"] for p in sense(result)])


def batches(tap):
    done = measure("--mechanism", "weir-pipe,pipe", "--workload", "stream,rtt", "--batch", "1,32",
                   "--wait", "own,spin", *SHORT)
    there = {(r["mechanism"], r["workload"], r["batch"]) for r in done["results"]}
    tap.result("batches", [p for result in done["results"] for p in sense(result)])
    tap.result("batches only where there are any",
               [] if there == {("weir-pipe", "stream", 1), ("weir-pipe", "stream", 32),
                               ("weir-pipe", "rtt", 1), ("pipe", "stream", 1),
                               ("pipe", "rtt", 1)} else [str(there)])


def main():
    tap = Tap()
    touches(tap)
    batches(tap)
    tap.finish()


main()
