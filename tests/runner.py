"""Runs the test suites, each against its time budget. Started by tests/run."""

import argparse
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
BUILD = Path(os.environ.get("BMCMESH_BUILD", CHECKOUT / "build"))
MOCKUPS = Path(os.environ.get("MESH_MOCKUPS", CHECKOUT.parent / "shared/mockups"))
PYTHON = "/usr/bin/python3"
PROGRAMS = ("mesh-aggregatord", "mesh-connectord", "meshctl")
SHORT_WALK_MOCKUP = "dmtf-public-bladed"
SANITIZER_SLOWNESS = 4.0
SANITIZED_SIMULATIONS = "1"  # runs of random seeds; without sanitizers there are more
FUZZ_SECONDS_EACH, FUZZERS_AT_ONCE = 40, 4
FILES_AS_ONE = "48"  # when built from nothing, as the sanitized presets do
LEAST_FUZZ_RUNS = 300  # in that time even of the slowest, beside whatever else is running
TAKEOVER_ROUNDS, SOAK_SECONDS = 5, 60
# One suite that hangs must not cost the others their turn.
GRACE = 3.0
LAST_LINES = 40  # of what a suite that failed has printed, once more at the end
# They keep one core busy, and are run beside the integration tests, which mostly wait.
BESIDE_INTEGRATION = ("bmcsim", "simulation")


# With what nothing else on the machine wants: between sessions that is the autogroup's to say where the kernel has them, else the
# priority's.
GENTLY = ["sh", "-c", '[ ! -w /proc/self/autogroup ] || echo 19 >/proc/self/autogroup; exec nice -n 19 "$@"', "gently"]

# What has been started and has not ended yet, by process id: it is ended when the runner is.
running = set()


@dataclass
class Suite:
    name: str
    command: list
    needs: list                # files that must exist; without one, the suite has failed
    seconds: float             # budget
    environment: dict = field(default_factory=dict)
    strict: bool = True        # over budget is a failure
    shown: bool = False        # its output, also when it passed


@dataclass
class Outcome:
    suite: Suite
    passed: bool
    seconds: float
    note: str = ""
    last_words: str = ""       # what it printed last, where it failed


def python(*arguments):
    return [PYTHON, "-B", *map(str, arguments)]


def suites(preset="dev", slow=1.0, strict=True):
    """The suites over one build, by name. `slow`: how much slower than a plain build it is expected to be."""
    build, tests = BUILD / preset, CHECKOUT / "tests"
    environment = {"MESH_BIN": str(build / "bin"), "MESH_SLOW": str(slow)}
    programs = [build / "bin" / name for name in PROGRAMS]
    mockup = ["--mockup", SHORT_WALK_MOCKUP] if (MOCKUPS / SHORT_WALK_MOCKUP).is_dir() else []
    listed = [
        Suite("unit", ["ctest", "--test-dir", str(build), "--exclude-regex", "^simulation_test$", "--output-on-failure", "-j3",
                       "--no-tests=error", "--timeout", str(int(100 * slow))], [build / "CTestTestfile.cmake"], 75 * slow),
        Suite("architecture", python(tests / "architecture/check.py", "--build", build), [], 20),
        Suite("bmcsim", python(tests / "bmcsim/selftest.py"), [tests / "bmcsim/selftest.py"], 30),
        Suite("integration", python(tests / "integration/run.py"), programs, 240 * slow),
        Suite("simulation", [str(build / "bin/simulation_test")], [build / "bin/simulation_test"], 90 * slow),
        Suite("walk", python(tests / "walk/walk.py", "--generated", 1, *mockup), programs, 40 * slow)]
    for suite in listed:
        suite.environment, suite.strict = environment, strict
    return {suite.name: suite for suite in listed}


def start_and_wait(command, seconds=None, environment=None, log=None, gently=False):
    """Its status; None: it was ended with all that it had started, because it still ran after `seconds`."""
    words = [*(GENTLY if gently else []), *map(str, command)]
    process = subprocess.Popen(words, cwd=CHECKOUT, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                               env={**os.environ, **(environment or {})}, start_new_session=True)
    running.add(process.pid)
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        return None
    except BaseException:
        os.killpg(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
        raise
    finally:
        running.discard(process.pid)
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@contextmanager
def beside():
    """For a job that runs beside what its caller does. What that has started is ended when the caller is interrupted, in order (a package
    may be under way): nobody waits for it."""
    with ThreadPoolExecutor(1) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)  # what has not begun does not
            for group in list(running):
                with suppress(ProcessLookupError):
                    os.killpg(group, signal.SIGTERM)
            raise


def run(suite, log):
    """Runs one suite to its end, its output into `log`; on failure the caller shows it."""
    missing = [str(path) for path in suite.needs if not path.exists()]
    if missing:
        return Outcome(suite, False, 0.0, f"does not exist: {', '.join(missing)}")
    begun = time.monotonic()
    status = start_and_wait(suite.command, suite.seconds * GRACE, suite.environment, log)
    note = "" if status == 0 else f"status {status}" if status is not None else f"still ran after {suite.seconds * GRACE:.0f} s"
    seconds = time.monotonic() - begun
    if status == 0 and suite.strict and seconds > suite.seconds:
        note = "over its budget"
    return Outcome(suite, not note, seconds, note)


def run_and_show(suite):
    with tempfile.TemporaryFile() as log:
        print(f"{suite.name} ...", flush=True)
        outcome = run(suite, log)
        if suite.shown or not outcome.passed:
            log.seek(0)
            said = log.read().decode(errors="replace")
            sys.stdout.write(said)
        if not outcome.passed:
            outcome.last_words = "\n".join(said.splitlines()[-LAST_LINES:])
            print(f"{suite.name}: FAILED, {outcome.note}", flush=True)
    return outcome


def run_all(chosen):
    """Runs suites, given by name; their outcomes."""
    those_beside = [name for name in BESIDE_INTEGRATION if name in chosen and "integration" in chosen]
    outcomes = []
    for name, suite in chosen.items():
        if name == "integration":
            with beside() as pool:
                others = pool.map(run_and_show, [chosen[other] for other in those_beside])
                outcomes += [run_and_show(suite), *others]
        elif name not in those_beside:
            outcomes.append(run_and_show(suite))
    return outcomes


def build(preset, purposes, targets=(), gently=False):
    """Packages and build; their failure is an outcome like any other. From nothing dev compiles several files as one, for whoever starts
    anew as in CI; BMCMESH_UNITY= (empty) keeps them apart."""
    begun = time.monotonic()
    suite = Suite(" ".join(["build", preset, *targets[:1]]), [], [], 0, strict=False)
    for command in (["deploy/install-packages", *purposes], ["deploy/build", preset, *targets]):
        print(f"{' '.join(command)} ...", flush=True)
        environment = {"BMCMESH_UNITY": os.environ.get("BMCMESH_UNITY", FILES_AS_ONE)} if preset == "dev" else {}
        if start_and_wait([CHECKOUT / command[0], *command[1:]], environment=environment, gently=gently) != 0:
            return Outcome(suite, False, time.monotonic() - begun, f"{command[0]} failed")
    return Outcome(suite, True, time.monotonic() - begun)


def fuzzers():
    """{target: its folder}, as the build lists declare them."""
    return {name: path.parent for path in sorted((CHECKOUT / "tests/fuzz").rglob("CMakeLists.txt"))
            for name in re.findall(r"^\s*mesh_fuzzer\(\s*(\w+)", path.read_text(), re.M)}


def fuzz():
    """Runs every fuzz target for a bounded time. Seeds are in corpus/ beside the target, where there are any."""
    targets = fuzzers()
    if not targets:
        return [Outcome(Suite("fuzz", [], [], 0, strict=False), False, 0.0, "there is no fuzz target below tests/fuzz")]

    def one(name):
        with tempfile.TemporaryDirectory() as scratch, tempfile.TemporaryFile() as log:
            seeds = targets[name] / "corpus"
            command = [BUILD / "asan/bin" / name, f"-max_total_time={FUZZ_SECONDS_EACH}", "-rss_limit_mb=1024", "-timeout=60",
                       f"-artifact_prefix={BUILD}/asan/{name}-", scratch, *([seeds] if seeds.is_dir() else [])]
            suite = Suite(f"fuzz {name}", [str(word) for word in command], [BUILD / "asan/bin" / name], FUZZ_SECONDS_EACH * 2 + 30, strict=False)
            outcome = run(suite, log)
            log.seek(0)
            said = log.read().decode(errors="replace")
            runs = re.search(r"^Done (\d+) runs", said, re.M)
            if outcome.passed and (runs is None or int(runs[1]) < LEAST_FUZZ_RUNS):
                outcome.passed, outcome.note = False, f"{runs[1] if runs else 'unknown'} runs, of at least {LEAST_FUZZ_RUNS}"
            print(said[-6000:] if not outcome.passed else f"fuzz {name}: {runs[0]}", flush=True)
            return outcome
    with ThreadPoolExecutor(FUZZERS_AT_ONCE) as pool:
        return list(pool.map(one, targets))


def instrumented():
    """The same tests under AddressSanitizer and UBSan, by name."""
    chosen = suites("asan", SANITIZER_SLOWNESS, strict=False)
    for suite in chosen.values():
        suite.name += " (asan)"
    # That the checkers find deliberate faults within a minute is shown without sanitizers.
    chosen["simulation"].command = [*chosen["simulation"].command, "--gtest_filter=-*Deliberate*"]
    chosen["simulation"].environment = {**chosen["simulation"].environment, "BMCMESH_SIM_RUNS": SANITIZED_SIMULATIONS}
    return chosen


def further_suites(soak_seconds):
    """What only --ci runs without being named, by name: over the plain build, with figures to look at."""
    walk = suites()["walk"]
    tests, programs = CHECKOUT / "tests", BUILD / "dev/bin"
    listed = [
        Suite("walk-all", python(tests / "walk/walk.py"), [*walk.needs, MOCKUPS], 300, environment=walk.environment,
              strict=False),
        Suite("takeover", python(tests / "bench/cluster_failover.py", "--rounds", TAKEOVER_ROUNDS, "--bin", programs),
              walk.needs, 60, strict=False, shown=True),
        Suite("soak", [str(programs / "cluster_soak"), str(soak_seconds)], [programs / "cluster_soak"], soak_seconds + 30,
              strict=False, shown=True)]
    return {suite.name: suite for suite in listed}


def continuous_integration(listed, further):
    """Everything. The tests leave half of two cores free: in it the sanitized programs are made beside the tests of the plain ones, their
    unit tests beside what tests the programs, and the fuzzers run beside these."""
    outcomes = [build("dev", ["tests", "sanitizers"])]
    if not outcomes[0].passed:
        return outcomes
    with beside() as pool:
        programs = pool.submit(build, "asan", ["tests", "sanitizers"], PROGRAMS, gently=True)
        tests = pool.submit(build, "asan", ["tests", "sanitizers"], gently=True)
        fuzzed = pool.submit(fuzz)
        outcomes += run_all(listed) + [run_and_show(suite) for name, suite in further.items() if name not in listed]
        sanitized = instrumented()
        for built, names in ((programs, ("integration", "walk")), (tests, ("unit", "simulation"))):
            outcomes.append(built.result())
            if outcomes[-1].passed:
                outcomes += run_all({name: sanitized[name] for name in names})
        return outcomes + fuzzed.result()


def last_words(outcomes):
    """Once more, for whoever sees only the end of a long output."""
    for outcome in outcomes:
        if outcome.last_words:
            print(f"\n{outcome.suite.name}, which failed, has said last:\n{outcome.last_words}")


def table(outcomes, seconds):
    width = max(len(outcome.suite.name) for outcome in outcomes)
    print(f"\n{'suite':{width}}  {'seconds':>8}  {'budget':>7}")
    for outcome in outcomes:
        budget = f"{outcome.suite.seconds:.0f}" if outcome.suite.seconds and outcome.suite.strict else "-"
        print(f"{outcome.suite.name:{width}}  {outcome.seconds:8.1f}  {budget:>7}  "
              f"{'passed' if outcome.passed else 'FAILED: ' + outcome.note}")
    print(f"{'in all':{width}}  {seconds:8.1f}")  # some of them ran at the same time


def main():
    known = suites()
    parser = argparse.ArgumentParser(prog="tests/run", description=__doc__)
    names = ", ".join([*known, *further_suites(SOAK_SECONDS)])
    parser.add_argument("--ci", action="store_true",
                        help="also: takeovers, a soak, a walk over all mockups, everything under ASan and UBSan, fuzzing; "
                             "half an hour")
    parser.add_argument("--soak-seconds", type=int, default=SOAK_SECONDS, metavar="N", help="default: %(default)s")
    parser.add_argument("suites", nargs="*", metavar="SUITE",
                        help=f"there are {names}; default: all but the last {len(further_suites(SOAK_SECONDS))}")
    given = parser.parse_args()
    further = further_suites(given.soak_seconds)
    unknown = [name for name in given.suites if name not in known and name not in further]
    if unknown:
        parser.error(f"no such suite: {', '.join(unknown)}; there are {names}")

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # as an exception, so that what runs is ended too
    begun = time.monotonic()
    listed = {name: {**known, **further}[name] for name in given.suites or known}
    if given.ci:
        for suite in known.values():
            suite.strict = False  # a busy machine is no reason to refuse a change
        outcomes = continuous_integration(listed, further)
    else:
        outcomes = [build("dev", ["tests"])]
        outcomes += run_all(listed) if outcomes[0].passed else []
    last_words(outcomes)
    table(outcomes, time.monotonic() - begun)
    failed = sum(not outcome.passed for outcome in outcomes)
    print(f"{len(outcomes) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
