#!/usr/bin/python3
"""check.py [--build DIR] [RULE...]: the architecture of this tree, as far as a machine can see it.

Rules: includes, symbols, tidy, units, self-test; all of them without arguments. Exit status 1 if one is broken.
"""

import argparse
import sys
import time
import unittest
from pathlib import Path

import include_rules
import self_test
import symbol_rules
import tidy_rules
import unit_rules

ROOT = Path(__file__).resolve().parent.parent.parent


def _self_test():
    suite = unittest.defaultTestLoader.loadTestsFromModule(self_test)
    result = unittest.TextTestRunner(stream=sys.stdout, verbosity=0).run(suite)
    return [f"{test}: {text}" for test, text in result.failures + result.errors]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=Path, default=ROOT / "build/dev", help="a build whose archives are read")
    parser.add_argument("rules", nargs="*", metavar="RULE")
    given = parser.parse_args()
    rules = {"includes": lambda: include_rules.check(ROOT), "symbols": lambda: symbol_rules.check(ROOT, given.build),
             "tidy": lambda: tidy_rules.check(ROOT), "units": lambda: unit_rules.check(ROOT), "self-test": _self_test}
    unknown = set(given.rules) - set(rules)
    if unknown:
        parser.error(f"no such rule: {', '.join(sorted(unknown))}; there are {', '.join(rules)}")
    broken = 0
    for name in given.rules or rules:
        begun = time.monotonic()
        problems = list(rules[name]())
        broken += len(problems)
        for problem in problems:
            print(problem)
        print(f"{name}: {len(problems) or 'nothing'} to mend ({time.monotonic() - begun:.1f} s)")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
