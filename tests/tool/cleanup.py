#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""cleanup.py TOOL: whatever ends a run, it leaves no process and no object behind."""

import glob
import os
import signal
import subprocess
import sys
import tempfile
import time

from tool import TOOL, Tap

# The mechanisms whose objects have names, and one with processes that sleep in each other.
ARGUMENTS = ["run", "--mechanism", "sysv-mq,posix-mq,fifo,python-queue,sysv-sem", "--workload",
             "rtt,stream,attach,lock", "--repeat", "1000", "--duration", "0.02", "--warmup", "0"]


def queues():
    """Message queues and semaphores."""
    found = set()
    for kind in ("msg", "sem"):
        with open(f"/proc/sysvipc/{kind}", encoding="ascii") as file:
            found |= {f"{kind} {line.split()[1]}" for line in file.readlines()[1:]}
    return found


def tools(folder):
    """Processes of this test's runs: their working folder is ours alone."""
    found = []
    for link in glob.glob("/proc/[0-9]*/cwd"):
        try:
            if os.readlink(link) == folder:
                found.append(int(link.split("/")[2]))
        except OSError:
            pass
    return found


def wait_until_empty(folder):
    deadline = time.monotonic() + 5
    while tools(folder) and time.monotonic() < deadline:
        time.sleep(0.02)
    return [f"process {pid} is left" for pid in tools(folder)]


def wait_until_gone(left):
    """The queues of @left that stay; others may be those of a run beside this one."""
    deadline = time.monotonic() + 60
    while left and time.monotonic() < deadline:
        time.sleep(0.05)
        left &= queues()
    return left


def end_with(number, seconds):
    before = queues()
    with tempfile.TemporaryDirectory() as folder:
        environment = dict(os.environ, TMPDIR=folder)
        child = subprocess.Popen([TOOL, *ARGUMENTS], cwd=folder, env=environment,
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(seconds)
        child.send_signal(number)
        code = child.wait(20)
        problems = wait_until_empty(os.path.realpath(folder))
        problems += [f"file {name} is left" for name in os.listdir(folder)]
    if code != -number:
        problems.append(f"exit code {code}")
    problems += [f"queue {name} is left" for name in wait_until_gone(queues() - before)]
    return problems


def main():
    tap = Tap()
    if not os.path.exists("/proc/sysvipc/msg"):
        print("1..0 # SKIP no System V queues")
        sys.exit(0)
    # At different moments of a repeat.
    for number, seconds in ((signal.SIGINT, 0.9), (signal.SIGINT, 1.113), (signal.SIGTERM, 1.027),
                            (signal.SIGHUP, 1.041), (signal.SIGKILL, 1.059)):
        tap.result(f"{number.name} after {seconds} s leaves nothing behind",
                   end_with(number, seconds))
    tap.finish()


main()
