#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""info.py TOOL: list, env and floor print text, and JSON that can be read."""

import json
import os
import tempfile

from tool import Tap, expect, run

FLOOR = {"cacheline_rtt_ns", "memcpy_bytes_per_s", "crosscore_bytes_per_s",
         "fill_copy_bytes_per_s", "fill_bytes_per_s", "null_syscall_ns", "wake_ns", "timer_ns"}
LISTED = {"name", "summary", "available", "reason", "package", "copies", "boundaries", "duplex",
          "poll", "batch", "many_to_many", "named", "any_size", "syscall_per_message",
          "waits", "fanout", "waitmany", "pump", "lock", "value", "engines"}


def keys(there, wanted):
    return [f"no key {key}" for key in sorted(wanted - set(there))]


def listed(tap):
    done = run("list", "--json")
    mechanisms = json.loads(done.stdout)["mechanisms"]
    tap.result("list: each mechanism has all keys",
               [problem for one in mechanisms for problem in keys(one, LISTED)])
    text = run("list").stdout
    tap.result("list: the text has the same mechanisms",
               [one["name"] for one in mechanisms if one["name"] not in text])
    tap.result("list: what is not available has a reason",
               [one["name"] for one in mechanisms if not one["available"] and not one["reason"]])
    waits = {one["name"]: one["waits"] for one in mechanisms}
    tap.result("list: a System V queue has no adaptive wait",
               ["it has"] if "adaptive" in waits["sysv-mq"] else [])


def to_a_file(tap, command):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "out.json")
        done = run(command, "--json", path)
        problems = list(expect(done, 0))
        if not done.stdout:
            problems.append("no text")
        try:
            with open(path, encoding="utf-8") as file:
                json.load(file)
        except (OSError, ValueError) as error:
            problems.append(str(error))
        tap.result(f"{command}: JSON to a file, text to standard output", problems)


def main():
    tap = Tap()
    listed(tap)
    done = run("env", "--json", "-")
    env = json.loads(done.stdout)
    tap.result("env: JSON", keys(env, {"kernel", "cpu", "clock", "weir_engine"}))
    done = run("env", env={**os.environ, "WEIR_ENGINE": "epoll"})
    tap.result("env: which engine runs, and why",
               expect(done, 0, "weir_engine.engine                   epoll", "weir_engine.reason"))
    floor = json.loads(run("floor", "--json", "-").stdout)
    tap.result("floor: JSON has all keys", keys(floor, FLOOR))
    tap.result("floor: sizes are keys of the fills",
               [key for key in ("fill_bytes_per_s", "fill_copy_bytes_per_s")
                if "64" not in floor[key]])
    same = json.loads(run("floor", "--cpus", "0", "--json", "-").stdout)
    tap.result("floor: between a CPU and itself there is no line",
               [] if same["cacheline_rtt_ns"] is None else ["there is"])
    to_a_file(tap, "env")
    to_a_file(tap, "floor")
    tap.finish()


main()
