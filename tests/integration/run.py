#!/usr/bin/python3
"""Runs the integration tests, each class in a process of its own and some of these at once: they mostly wait. Arguments are
names as unittest takes them (test_cluster, test_cluster.Hooks); without any, all are run."""

import subprocess
import sys
import time
import unittest
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).resolve().parent
AT_ONCE = 4  # on two cores
# They wait for time limits of half a minute: at the end, everybody would wait for them.
LONGEST = ("test_clock_jump.ClockJump", "test_faults.BrokenBmc", "test_hanging_disk.HangingDisk")


def cases(suite):
    for entry in suite:
        if isinstance(entry, unittest.TestSuite):
            yield from cases(entry)
        else:
            yield entry


def classes(names):
    """{name of a class: how many tests it has}; a file that cannot be loaded is a name too, and fails when it is run."""
    loader = unittest.TestLoader()
    found = loader.loadTestsFromNames(names) if names else loader.discover(str(HERE), "test_*.py")
    counts = {}
    for case in cases(found):
        name = f"{type(case).__module__}.{type(case).__qualname__}"
        if name.startswith("unittest.loader."):  # ModuleImportFailure and its like
            name = case.id().rsplit(".", 1)[-1]
        counts[name] = counts.get(name, 0) + 1
    return counts


def run(name):
    """What a class that failed has printed; None: it passed."""
    begun = time.monotonic()
    done = subprocess.run([sys.executable, "-B", "-m", "unittest", "-b", name], cwd=HERE, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    if done.returncode != 0:
        sys.stdout.write(done.stdout)  # now, should another one hang, and at the end, where one looks
    said = done.stdout.rstrip().rsplit("\n", 1)[-1]  # OK or FAILED, and how many were skipped
    print(f"{name}: {said}, {time.monotonic() - begun:.0f} s", flush=True)
    return None if done.returncode == 0 else done.stdout


def main():
    sys.path.insert(0, str(HERE))
    counts = classes(sys.argv[1:])
    with ThreadPoolExecutor(AT_ONCE) as pool:
        names = sorted(counts, key=lambda name: (name in LONGEST, counts[name]), reverse=True)
        failed = {name: said for name, said in zip(names, pool.map(run, names)) if said is not None}
    print(*failed.values(), sep="", end="")
    print(f"{sum(counts.values())} tests in {len(counts)} classes; {len(failed)} classes failed{': ' if failed else ''}{', '.join(failed)}")
    return 0 if counts and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
