"""deploy/quickstart as a person or a script meets it."""

import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

from harness import (CHECKOUT, MOCKUPS, PROGRAMS, ROOT, SLICE, SLOW, Client, Problem, claim_slice, eventually, what_it_does,
                     write_private)
from quickstart_lib.process import Child, stop_all

QUICKSTART = CHECKOUT / "deploy/quickstart"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def free_base(satellites=3):
    """A base for --port, all of whose ports are free."""
    while True:
        base = claim_slice(range(10000, 19000, SLICE))
        ports = [base + n for n in (1, 2, 21, 22, 41, 42, *range(101, 101 + satellites))]
        probes = [socket.socket() for _ in ports]
        try:
            for probe, port in zip(probes, ports):
                probe.bind(("127.0.0.1", port))
            return base
        except OSError:
            continue
        finally:
            for probe in probes:
                probe.close()


def alive(pid):
    """Running, not merely waiting to be reaped by somebody else."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


class Quickstart(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.state = Path(folder.name) / "state"
        self.output = Path(folder.name) / "output"

    def command(self, *options):
        return [QUICKSTART, "--port", str(self.base), "--state", self.state, "--satellites", "1", *options]

    def start(self, ignored=(), options=()):
        """A quickstart that is ready, as a shell's background job would start it; (process, environment file)."""
        self.base = free_base()

        def as_background_job():
            for number in ignored:
                signal.signal(number, signal.SIG_IGN)
        with open(self.output, "wb") as output:
            process = subprocess.Popen(self.command(*options), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                                       env=self.environment(), preexec_fn=as_background_job)
        self.addCleanup(self.end, process)
        environment = self.state / "quickstart.env"

        def ready():
            self.assertIsNone(process.poll(), self.output.read_text())
            return environment.exists()
        try:
            eventually(ready, "quickstart is ready", 12)
        except Problem:
            logs = [f"{log.name}: {log.read_text()[-800:]}" for log in sorted(self.state.glob("log/*.log"))]
            self.fail("\n".join(["not ready in time", self.output.read_text(), *logs]))
        values = dict(line.partition("=")[::2] for line in environment.read_text().splitlines())
        return process, {key: "".join(shlex.split(value)) for key, value in values.items()}

    def environment(self):
        """Its own programs; what a failed check leaves behind goes with the test."""
        return {**os.environ, "MESH_BIN": str(PROGRAMS), "TMPDIR": str(self.state.parent)}

    @staticmethod
    def end(process):
        if process.poll() is None:
            process.kill()
        process.wait()

    @staticmethod
    def children(values):
        return [int(value) for key, value in values.items() if key.endswith("_PID") and value]

    def refused(self, *arguments):
        done = subprocess.run([QUICKSTART, *map(str, arguments)], capture_output=True, text=True, timeout=60 * SLOW,
                              env=self.environment())
        self.assertNotEqual(done.returncode, 0)
        self.assertNotIn("Traceback", done.stderr)
        return done.stderr

    def test_each_signal_stops_everything_also_where_a_shell_had_it_ignored(self):
        for number in SIGNALS:
            with self.subTest(signal=number.name):
                process, values = self.start(ignored=SIGNALS)
                pids = self.children(values)
                self.assertEqual(len(pids), 5, values)  # three aggregators, a connector, a simulator
                self.assertTrue(all(alive(pid) for pid in pids))
                process.send_signal(number)
                self.assertEqual(process.wait(10 * SLOW), 0, self.output.read_text())
                self.assertFalse([pid for pid in pids if alive(pid)])
                self.assertNotIn("was killed", self.output.read_text())
                self.assertFalse((self.state / "quickstart.env").exists(), "it says that a mesh is ready")

    def test_children_end_with_a_killed_quickstart(self):
        process, values = self.start()
        process.kill()
        process.wait()
        eventually(lambda: not [pid for pid in self.children(values) if alive(pid)], "its children are gone", 5)

    def test_the_environment_file_tells_all_and_the_printed_lines_work(self):
        process, values = self.start()
        for key in ("FACADE_1", "FACADE_2", "ADMIN_USER", "ADMIN_PASSWORD", "CA", "AGGREGATOR_1_NAME", "AGGREGATOR_2_PID",
                    "CONNECTOR_1_PID", "SATELLITE_1_URL", "SATELLITE_1_USER", "SATELLITE_1_PASSWORD", "SATELLITE_1_PID",
                    "PREFIX_1"):
            self.assertTrue(values.get(key), key)
        self.assertEqual((self.state / "quickstart.env").stat().st_mode & 0o777, 0o600)
        with Client(values["FACADE_2"], values["ADMIN_USER"], values["ADMIN_PASSWORD"], values["CA"]) as client:
            self.assertIn(f"/{values['PREFIX_1']}_", client.get(ROOT + "/Systems").body.decode())
        with Client(values["FACADE_1"].replace("127.0.0.1", "localhost"), ca=values["CA"]) as client:
            self.assertEqual(client.get(ROOT + "/").status, 200)
        lines = [line for line in self.output.read_text().splitlines() if line.strip().startswith("curl ")]
        self.assertGreaterEqual(len(lines), 3)
        for line in lines:
            done = subprocess.run(["bash", "-c", line + " -sS -f -o /dev/null"], capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, (line, done.stderr))
        for pid in self.children(values):
            self.assertNotIn(values["SATELLITE_1_PASSWORD"].encode(), Path(f"/proc/{pid}/cmdline").read_bytes())

    def test_one_state_folder_belongs_to_one_quickstart(self):
        process, _ = self.start()
        said = self.refused("--port", free_base(), "--state", self.state)
        self.assertIn(str(process.pid), said)
        self.assertIn("--state", said)

    def test_a_port_in_use_is_named_with_its_option(self):
        base = free_base()
        with socket.create_server(("127.0.0.1", base + 2)):
            said = self.refused("--port", base, "--state", self.state)
        self.assertIn(str(base + 2), said)
        self.assertIn("--port", said)

    def test_bad_options_are_refused_with_a_sentence(self):
        for options, what in ((["--nonsense"], "--nonsense"), (["--aggregators", "0"], "--aggregators"),
                              (["--bmc-user", "u"], "--bmc-user"), (["--bmc", "ftp://x"], "--bmc"),
                              (["--mockup", "/nowhere"], "--mockup"), (["--port", "65434", "--satellites", "2"], "--port"),
                              (["--satellites", "0"], "--satellites"), (["extra"], "extra")):
            with self.subTest(options=options):
                said = self.refused(*options)
                self.assertIn("usage:", said)
                self.assertIn(what, said.splitlines()[-1])

    def test_a_bmc_that_does_not_answer_is_named(self):
        self.assertIn("127.0.0.1:1", self.refused("--bmc", "http://127.0.0.1:1", "--port", free_base(), "--state", self.state))

    def test_a_bmc_of_ones_own_is_fronted_and_its_certificate_checked(self):
        _, values = self.start()
        password = self.state / "bmc.password"
        write_private(password, values["SATELLITE_1_PASSWORD"] + "\n")
        bmc = ["--bmc", values["SATELLITE_1_URL"], "--bmc-user", values["SATELLITE_1_USER"], "--bmc-password-file", password]
        said = self.refused("--check", "--port", free_base(), *bmc)
        self.assertIn("certificate", said.lower())
        done = subprocess.run(list(map(str, [QUICKSTART, "--check", "--port", free_base(), *bmc, "--bmc-ca", values["CA"]])),
                              capture_output=True, text=True, env=self.environment())
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn(values["PREFIX_1"], done.stdout, "the same UUID gives the same prefix")

    @unittest.skipUnless(MOCKUPS.is_dir(), "needs recorded machines")
    def test_a_recorded_machine_is_served(self):
        mockup = sorted(MOCKUPS.iterdir())[0]
        _, values = self.start(options=["--mockup", str(mockup)])
        with Client(values["FACADE_1"], values["ADMIN_USER"], values["ADMIN_PASSWORD"], values["CA"]) as client:
            self.assertIn(f"/{values['PREFIX_1']}_", client.get(ROOT + "/Systems").body.decode())


class Stopping(unittest.TestCase):
    def test_one_that_was_paused_goes_on_before_it_is_asked_to_end(self):
        class Played:
            name, signals = "played", []
            signal = signals.append

            def wait(self, seconds):
                return 0
        self.assertEqual(stop_all([Played()]), [])
        self.assertEqual(Played.signals, [signal.SIGCONT, signal.SIGTERM])

    def test_what_does_not_end_is_looked_at_before_it_is_killed(self):
        with tempfile.TemporaryDirectory() as folder:
            stubborn = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('here', flush=True)\nsignal.pause()"
            child = Child("stubborn", [sys.executable, "-c", stubborn], Path(folder) / "log")
            eventually(lambda: "here" in child.output(), "it runs")
            seen = []
            self.assertEqual(stop_all([child], 0.1, lambda stuck: seen.append(what_it_does(stuck.pid))), ["stubborn"])
            self.assertEqual(child.status(), -signal.SIGKILL)
            self.assertRegex(seen[0], r"State:\s+S")
            self.assertIn(f"{child.pid} {Path(sys.executable).name} S in ", seen[0])


if __name__ == "__main__":
    unittest.main()
