"""The systemd units: accepted by systemd, and shut in."""

import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from source import Problem

MAX_EXPOSURE = 2.0  # of systemd-analyze security; 0 is a program that can do nothing
_REQUIRED = {"Type": "notify", "StateDirectory": "bmcmesh", "DynamicUser": "yes", "CapabilityBoundingSet": ""}


def _settings(text):
    return {key.strip(): value.strip() for key, value in re.findall(r"^(\w+)=(.*)$", text, re.M)}


def _systemd(*arguments):
    done = subprocess.run(["systemd-analyze", *map(str, arguments)], capture_output=True, text=True)
    return done.returncode, (done.stdout + done.stderr).strip()


def check_unit(unit):
    settings = _settings(unit.read_text())
    for key, value in _REQUIRED.items():
        if settings.get(key) != value:
            yield Problem(unit.name, 0, f"{key}={settings.get(key)}, not '{value}'")
    if "WatchdogSec" not in settings:
        yield Problem(unit.name, 0, "has no WatchdogSec")
    with tempfile.TemporaryDirectory() as folder:
        # The programs need not be installed for their units to be judged.
        copy = Path(folder) / unit.name
        copy.write_text(re.sub(r"^(ExecStart(?:Pre)?=)\S+", rf"\1{shutil.which('true')}", unit.read_text(), flags=re.M))
        status, said = _systemd("verify", "--man=no", copy)
        if status != 0 or unit.name in said:
            yield Problem(unit.name, 0, f"systemd-analyze verify: {said}")
        _, said = _systemd("security", "--offline=true", "--no-pager", copy)
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", said)
    if not found or float(found.group(1)) > MAX_EXPOSURE:
        yield Problem(unit.name, 0, f"exposure {found.group(1) if found else 'unknown'}, more than {MAX_EXPOSURE}")


def check(root):
    units = sorted((Path(root) / "deploy/systemd").glob("*.service"))
    if len(units) != 2:
        yield Problem("deploy/systemd", 0, f"{len(units)} units, not 2")
    for unit in units:
        yield from check_unit(unit)
