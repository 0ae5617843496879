#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""oneway.py TOOL: the open loop keeps its schedule, or says that it does not."""

from results import sense
from tool import SHORT, Tap, measure


def oneway(tap):
    for arrivals in ("fixed", "poisson"):
        done = measure("--mechanism", "pipe,weir-pipe,weir-pipe-zc,weir-queue,weir-queue-zc",
                       "--workload", "oneway", "--rate", "20K", "--arrivals", arrivals, *SHORT)
        problems = [p for result in done["results"] for p in sense(result)]
        for result in done["results"]:
            rate = result["msgs_per_s"]["median"]
            if result["rate"] != 20000:
                problems.append(f"rate {result['rate']}")
            if not 10000 < rate < 30000 and not result["warnings"]:
                problems.append(f"{rate} messages a second")
        tap.result(f"oneway, {arrivals} arrivals", problems)
    done = measure("--mechanism", "posix-mq", "--workload", "oneway", "--rate", "100M", *SHORT)
    tap.result("oneway: a rate that cannot be had is said",
               [] if any("rate not achieved" in warning for result in done["results"]
                         for warning in result["warnings"]) else ["it is not"])


def main():
    tap = Tap()
    oneway(tap)
    tap.finish()


main()
