"""The systemd units: accepted by systemd, and the services shut in."""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from source import Problem

MAX_EXPOSURE = 2.0  # of systemd-analyze security; 0 is a program that can do nothing
_REQUIRED = {"Type": "notify", "StateDirectory": "bmcmesh", "DynamicUser": "yes", "CapabilityBoundingSet": "",
             "Restart": "on-failure", "RestartSec": "2s", "StartLimitIntervalSec": "0"}  # or it stays down after five failures
_AGGREGATOR = "mesh-aggregatord.service"
_FOLLOWS = {"BindsTo": _AGGREGATOR, "After": _AGGREGATOR}  # of the target: it ends with the daemon that started it


def _settings(text):
    return {key.strip(): value.strip() for key, value in re.findall(r"^(\w+)=(.*)$", text, re.M)}


def _systemd(*arguments):
    done = subprocess.run(["systemd-analyze", *map(str, arguments)], capture_output=True, text=True)
    return done.returncode, (done.stdout + done.stderr).strip()


def _lacks(unit, required):
    settings = _settings(unit.read_text())
    for key, value in required.items():
        if settings.get(key) != value:
            yield Problem(unit.name, 0, f"{key}={settings.get(key)}, not '{value}'")


def _copies(units, folder):
    """The programs need not be installed for their units to be judged."""
    for unit in units:
        text = re.sub(r"^(ExecStart(?:Pre)?=)\S+", rf"\1{shutil.which('true')}", unit.read_text(), flags=re.M)
        (Path(folder) / unit.name).write_text(text)
        yield Path(folder) / unit.name


def _refused(unit, copy):
    status, said = _systemd("verify", "--man=no", copy)
    if status != 0 or unit.name in said:
        yield Problem(unit.name, 0, f"systemd-analyze verify: {said}")


def check_unit(unit):
    yield from _lacks(unit, _REQUIRED)
    if "WatchdogSec" not in _settings(unit.read_text()):
        yield Problem(unit.name, 0, "has no WatchdogSec")
    with tempfile.TemporaryDirectory() as folder:
        copy, = _copies([unit], folder)
        yield from _refused(unit, copy)
        _, said = _systemd("security", "--offline=true", "--no-pager", copy)
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", said)
    if not found or float(found.group(1)) > MAX_EXPOSURE:
        yield Problem(unit.name, 0, f"exposure {found.group(1) if found else 'unknown'}, more than {MAX_EXPOSURE}")


def check_target(target, service, rules):
    """The target that follows the primary, the daemon that starts it, and the permission to do so, name each other."""
    yield from _lacks(target, _FOLLOWS)
    with tempfile.TemporaryDirectory() as folder:
        copy, _ = _copies([target, service], folder)
        yield from _refused(target, copy)
    user = _settings(service.read_text()).get("User")
    for what in (f'lookup("unit") === "{target.name}"', f'subject.user === "{user}"'):
        if what not in rules.read_text():
            yield Problem(rules.name, 0, f"has no {what}")


def check(root):
    folder = Path(root) / "deploy/systemd"
    units = sorted(folder.glob("*.service"))
    if len(units) != 2:
        yield Problem("deploy/systemd", 0, f"{len(units)} units, not 2")
    for unit in units:
        yield from check_unit(unit)
    yield from check_target(folder / "bmcmesh-primary.target", folder / _AGGREGATOR, folder / "50-bmcmesh-primary.rules")
