"""The command line of deploy/quickstart."""

import argparse
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

MAX_AGGREGATORS = 16
MAX_SATELLITES = 200
DEFAULT_PORT = 8440


@dataclass
class Bmc:
    """A real BMC, fronted by a connector of its own."""
    url: str
    user: str = ""
    password_file: str = ""
    ca: str = ""
    fingerprint: str = ""
    insecure: bool = False


@dataclass
class Options:
    check: bool = False
    aggregators: int = 3
    satellites: int = 3  # simulated ones
    mockups: list = field(default_factory=list)
    bmcs: list = field(default_factory=list)
    port: int = DEFAULT_PORT
    state: Path | None = None


class _AddBmc(argparse.Action):
    def __call__(self, parser, namespace, value, option=None):
        parts = urlsplit(value)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/"):
            parser.error(f"--bmc {value}: expected http://HOST[:PORT] or https://HOST[:PORT]")
        namespace.bmcs = [*namespace.bmcs, Bmc(value.rstrip("/"))]


class _OfBmc(argparse.Action):
    """An option that describes the --bmc before it."""

    def __call__(self, parser, namespace, value, option=None):
        if not namespace.bmcs:
            parser.error(f"{option} belongs after the --bmc that it describes")
        name = option.removeprefix("--bmc-").replace("-", "_")
        setattr(namespace.bmcs[-1], name, True if self.nargs == 0 else value)


def _count(least, most):
    def convert(text):
        if not text.isdigit() or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"'{text}' is not a number from {least} to {most}")
        return int(text)
    return convert


def parse(arguments):
    """Options, or SystemExit(2) after a sentence about what is wrong."""
    parser = argparse.ArgumentParser(
        prog="deploy/quickstart", allow_abbrev=False,
        description="Builds what is missing and runs a mesh on this machine: aggregators, connectors, and simulated BMCs "
                    "or your own. Stops with Ctrl-C.")
    parser.add_argument("--check", action="store_true", help="start, verify end to end, stop; exit status 0 or 1")
    parser.add_argument("--aggregators", type=_count(1, MAX_AGGREGATORS), default=3, metavar="N", help="default 3")
    parser.add_argument("--satellites", type=_count(0, MAX_SATELLITES), metavar="N",
                        help="simulated BMCs; default 3, or none when --bmc is given")
    parser.add_argument("--mockup", action="append", default=[], dest="mockups", metavar="DIR",
                        help="tree of a recorded machine for the simulated BMCs, in turn")
    parser.add_argument("--port", type=_count(1, 65434), default=DEFAULT_PORT, metavar="BASE",
                        help=f"facades BASE+1.., mesh BASE+21.., peers BASE+41.., satellites BASE+101..; default {DEFAULT_PORT}")
    parser.add_argument("--state", type=Path, metavar="DIR", help="keys, certificates, configuration, logs")
    parser.add_argument("--bmc", action=_AddBmc, metavar="URL", help="a real BMC; the options below apply to the one before")
    for name, metavar in (("user", "U"), ("password-file", "F"), ("ca", "F"), ("fingerprint", "X")):
        parser.add_argument(f"--bmc-{name}", action=_OfBmc, metavar=metavar)
    parser.add_argument("--bmc-insecure", action=_OfBmc, nargs=0)
    parser.set_defaults(bmcs=[])
    given = parser.parse_args(arguments)

    if given.satellites is None:
        given.satellites = 0 if given.bmcs and not given.mockups else max(3, len(given.mockups))
    _validate(parser, given)
    return Options(given.check, given.aggregators, given.satellites, given.mockups, given.bmcs, given.port, given.state)


def _validate(parser, given):
    if given.satellites + len(given.bmcs) == 0:
        parser.error("no satellite: give --satellites or --bmc")
    if given.port + 100 + given.satellites > 65535:
        parser.error(f"--port {given.port}: the last satellite's port would be above 65535")
    for folder in given.mockups:
        if not (Path(folder) / "redfish/v1/index.json").is_file():
            parser.error(f"--mockup {folder}: there is no redfish/v1/index.json in it")
    for bmc in given.bmcs:
        if bool(bmc.ca) + bool(bmc.fingerprint) + bmc.insecure > 1:
            parser.error(f"--bmc {bmc.url}: only one of --bmc-ca, --bmc-fingerprint, --bmc-insecure")
        if bool(bmc.user) != bool(bmc.password_file):
            parser.error(f"--bmc {bmc.url}: --bmc-user and --bmc-password-file go together")
        for option, name in (("--bmc-password-file", bmc.password_file), ("--bmc-ca", bmc.ca)):
            if name and not Path(name).is_file():
                parser.error(f"{option} {name}: no such file")
        if bmc.password_file and Path(bmc.password_file).stat().st_mode & 0o077:
            parser.error(f"--bmc-password-file {bmc.password_file}: others may read it; chmod 600 it")
