"""The permission of the aggregator to start and stop the unit that follows the primary, as a real polkitd understands it."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import unittest
from pathlib import Path

from harness import CHECKOUT, SLOW, eventually
from quickstart_lib.process import Child

RULE = CHECKOUT / "deploy/systemd/50-bmcmesh-primary.rules"
POLKITD = next((path for path in (Path("/usr/lib/polkit-1/polkitd"), Path("/usr/libexec/polkitd")) if path.exists()), None)
ACTIONS = Path("/usr/share/polkit-1/actions/org.freedesktop.systemd1.policy")
MANAGE = "org.freedesktop.systemd1.manage-units"
TARGET = "bmcmesh-primary.target"
IDS = {"bmcmesh": 61234, "somebody": 61235}
BUS = """<busconfig><type>system</type><listen>unix:path={socket}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/></policy></busconfig>"""


def missing():
    """Why it cannot be tried here."""
    for program in ("dbus-daemon", "pkcheck", "unshare"):
        if not shutil.which(program):
            return f"{program} is not installed"
    if POLKITD is None or not ACTIONS.exists():
        return "polkitd or systemd's actions are not installed"
    if os.geteuid() != 0:
        return "polkitd is started by root"
    alone = subprocess.run(["unshare", "--mount", "mount", "--bind", "/etc", "/etc"], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    return "" if alone.returncode == 0 else "mounts of its own are not allowed here"


WHY_NOT = missing()


@unittest.skipIf(WHY_NOT, WHY_NOT)
class Polkit(unittest.TestCase):
    """A bus of its own, and a polkitd that sees the machine's users and two more, and of local rules the one of ours."""

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="bmcmesh-polkit-")
        cls.addClassCleanup(folder.cleanup)
        cls.state = Path(folder.name)
        cls.state.chmod(0o755)  # polkitd is no root
        rules = cls.state / "rules"
        rules.mkdir()
        shutil.copy(RULE, rules)
        users = cls.state / "passwd"
        users.write_text(Path("/etc/passwd").read_text() +
                         "".join(f"{name}:x:{number}:{number}::/nonexistent:/usr/sbin/nologin\n" for name, number in IDS.items()))
        for path in (rules, users, rules / RULE.name):
            path.chmod(0o755)
        socket = cls.state / "bus"
        (cls.state / "bus.conf").write_text(BUS.format(socket=socket))
        cls.environment = {"DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={socket}"}
        cls.start("bus", ["dbus-daemon", f"--config-file={cls.state}/bus.conf", "--nofork", "--nopidfile"])
        eventually(socket.exists, "there is a bus", 10)
        cls.polkitd = cls.start("polkitd", ["unshare", "--mount", "sh", "-c", f"mount --bind {rules} /etc/polkit-1/rules.d && "
                                            f"mount --bind {users} /etc/passwd && exec {POLKITD}"])
        eventually(lambda: cls.ask("root", MANAGE, expect=None) is not None, "polkitd answers", 10)

    @classmethod
    def start(cls, name, command):
        child = Child(name, command, cls.state / f"{name}.log", cls.environment)
        cls.addClassCleanup(child.wait, 10)
        cls.addClassCleanup(child.signal, signal.SIGKILL)
        return child

    @classmethod
    def ask(cls, user, action, expect=True, **details):
        """Whether a process of that user may; None: nobody answers."""
        number = IDS.get(user) or pwd.getpwnam(user).pw_uid
        with subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, user=number, group=number) as process:
            words = [word for key, value in details.items() for word in ("--detail", key, value)]
            told = subprocess.run(["pkcheck", "--action-id", action, "--process", str(process.pid), *words], capture_output=True,
                                  text=True, stdin=subprocess.DEVNULL, env={**os.environ, **cls.environment}, timeout=20 * SLOW, check=False)
            process.stdin.close()
        return {0: True, 1: False, 2: False, 3: False}.get(told.returncode) if expect is not None else told.returncode <= 2 or None

    def test_the_aggregator_may_start_and_stop_the_one_unit_and_nothing_else(self):
        for verb in ("start", "stop"):
            self.assertTrue(self.ask("bmcmesh", MANAGE, unit=TARGET, verb=verb), (verb, self.polkitd.output()))
        for verb in ("restart", "reload", "kill", "start-or-stop", "set-property"):
            self.assertFalse(self.ask("bmcmesh", MANAGE, unit=TARGET, verb=verb), verb)
        for unit in ("ssh.service", "mesh-aggregatord.service", "bmcmesh-primary.target.service", ""):
            self.assertFalse(self.ask("bmcmesh", MANAGE, unit=unit, verb="start"), unit)
        self.assertFalse(self.ask("bmcmesh", MANAGE), "without saying what")
        for action in ("org.freedesktop.systemd1.manage-unit-files", "org.freedesktop.systemd1.reload-daemon"):
            self.assertFalse(self.ask("bmcmesh", action, unit=TARGET, verb="start"), action)
        self.assertFalse(self.ask("somebody", MANAGE, unit=TARGET, verb="start"), "another user")

    def test_the_rule_is_understood(self):
        told = self.polkitd.output()
        self.assertRegex(told, r"Finished loading, compiling and executing \d+ rules")
        self.assertNotIn("rror", told)


if __name__ == "__main__":
    unittest.main()
