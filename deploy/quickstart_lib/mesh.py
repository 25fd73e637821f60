"""What one mesh consists of, and the files its programs read."""

import hashlib
import json
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from .trust import Authority


# On one machine's loopback; over a network with flash behind it the defaults are better.
ELECTION = {"election_timeout": "300ms", "heartbeat": "50ms"}


@dataclass
class Aggregator:
    name: str
    facade_port: int
    mesh_port: int
    peers_port: int
    key: str = ""        # public half
    extra: dict = field(default_factory=dict)  # further settings of its configuration, by section
    facade_address: str = "127.0.0.1"
    mesh_address: str = "127.0.0.1"            # for connectors and the other aggregators

    @property
    def facade(self):
        return f"https://{self.facade_address}:{self.facade_port}"


@dataclass
class Satellite:
    """A BMC and the connector in front of it."""
    name: str
    url: str = ""
    auth: str = "none"   # none, basic, session
    user: str = ""
    password_file: str = ""
    ca: str = ""
    fingerprint: str = ""
    insecure: bool = False
    uuid: str = ""       # of its ServiceRoot; empty when it has none or did not tell
    tenant: str = "local"
    prefix: str = ""
    key: str = ""        # public half of its connector's key
    extra: dict = field(default_factory=dict)

    def password(self):
        return Path(self.password_file).read_text().rstrip("\r\n") if self.password_file else ""


def assign_prefixes(satellites):
    """By the rule: 6 hex digits of the UUID's SHA-256, of the key's where that is missing, nil or taken; more on a clash."""
    uuids, prefixes = set(), set()
    for satellite in satellites:
        by_uuid = bool(satellite.uuid.strip("0-")) and satellite.uuid not in uuids
        if by_uuid:
            uuids.add(satellite.uuid)
        digits = hashlib.sha256((satellite.uuid if by_uuid else satellite.key).encode()).hexdigest().upper()
        satellite.prefix = next(digits[:length] for length in range(6, 18, 2) if digits[:length] not in prefixes)
        prefixes.add(satellite.prefix)


def write_private(path, text):
    """A file that only its owner reads, whole or not at all."""
    scratch = path.with_name(path.name + ".new")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    os.replace(scratch, path)


def generated_password(path):
    """The password kept in `path`; made the first time. Never a default."""
    if not path.exists():
        write_private(path, secrets.token_urlsafe(18) + "\n")
    return path.read_text().strip()


def _dump(path, document):
    import yaml  # here, because the set-up may have installed it only after this module was loaded

    write_private(path, yaml.safe_dump(document, sort_keys=False, width=120))


def _merged(document, extra):
    for section, settings in extra.items():
        document[section] = {**document.get(section, {}), **settings} if isinstance(settings, dict) else settings
    return document


class MeshFiles:
    """All files of one mesh below `state`: keys, certificates, registry, a configuration and a state folder for each."""

    def __init__(self, state, meshctl):
        self.state, self._meshctl = Path(state), meshctl
        for folder in ("keys", "tls", "etc", "run", "log"):
            (self.state / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
        self.authority = Authority(self.state / "tls")
        self.registry = self.state / "etc/registry.yaml"

    def make_keys(self, members):
        for member in members:
            member.key = self._meshctl.key(self.state / "keys" / f"{member.name}.key")

    def add_administrator(self, aggregator, user, password_file):
        """Beside each node that has never started: the first primary takes its own over for all."""
        if not self.accounts(aggregator).exists() and not (self.own_state(aggregator) / "cluster").exists():
            self._meshctl.add_administrator(self.accounts(aggregator), user, password_file)

    def accounts(self, aggregator):
        return self.own_state(aggregator) / "accounts"

    def config(self, member):
        return self.state / "etc" / f"{member.name}.yaml"

    def own_state(self, member):
        folder = self.state / "run" / member.name
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def log(self, name):
        return self.state / "log" / f"{name}.log"

    def write_registry(self, satellites):
        _dump(self.registry, {
            "tenants": [{"name": name} for name in sorted({satellite.tenant for satellite in satellites})],
            "connectors": [{"name": satellite.name, "tenant": satellite.tenant, "key": satellite.key,
                            "prefix": satellite.prefix} for satellite in satellites]})

    def write_aggregator(self, aggregator, everyone):
        certificate, key = self.authority.server(aggregator.name)
        others = [{"name": other.name, "endpoint": f"tcp://{other.mesh_address}:{other.peers_port}", "key": other.key}
                  for other in everyone if other is not aggregator]
        _dump(self.config(aggregator), _merged({
            "node": {"name": aggregator.name, "key": str(self.state / "keys" / f"{aggregator.name}.key")},
            "mesh": {"bind": f"tcp://{aggregator.mesh_address}:{aggregator.mesh_port}"},
            "peers": {"bind": f"tcp://{aggregator.mesh_address}:{aggregator.peers_port}", "members": others},
            "facade": {"bind": f"{aggregator.facade_address}:{aggregator.facade_port}", "certificate": str(certificate),
                       "certificate_key": str(key)},
            "cluster": dict(ELECTION),
            "registry": {"file": str(self.registry)},
            "accounts": {"file": str(self.accounts(aggregator))}}, aggregator.extra))

    def write_connector(self, satellite, aggregators):
        # What it was told of the aggregators may be of a start with other ports.
        (self.own_state(satellite) / f"{satellite.name}.aggregators").unlink(missing_ok=True)
        target = {"url": satellite.url, "auth": satellite.auth}
        for name in ("user", "password_file", "ca", "fingerprint", "insecure"):
            value = getattr(satellite, name)
            if value:
                target[name] = value
        _dump(self.config(satellite), _merged({
            "connector": {"name": satellite.name, "key": str(self.state / "keys" / f"{satellite.name}.key")},
            "aggregators": [{"name": aggregator.name, "endpoint": f"tcp://{aggregator.mesh_address}:{aggregator.mesh_port}",
                             "key": aggregator.key} for aggregator in aggregators],
            "target": target}, satellite.extra))


def simulator_entry(satellite, port, source, certificate):
    """One satellite of bmcsim's --config. `source`: a mockup's folder, or None for a generated tree (seeded by its name);
    `certificate`: (chain, key)."""
    entry = {"name": satellite.name, "port": port, "https": True, "auth": satellite.auth, "uuid": satellite.uuid,
             "cert": str(certificate[0]), "key": str(certificate[1])}
    if satellite.user:
        entry |= {"user": satellite.user, "password": satellite.password()}
    if source is None:
        seed = int(hashlib.sha256(satellite.name.encode()).hexdigest()[:6], 16)
        return entry | {"generate": True, "systems": 1, "seed": seed}
    return entry | {"mockup": str(source)}


def simulator_command(program, folder, name, entries):
    """(command, ready file) of one simulator process. Its settings are in a file, so that no password is in an argument."""
    config, ready = folder / f"{name}.json", folder / f"{name}.ready"
    write_private(config, json.dumps(entries, indent=2))
    ready.unlink(missing_ok=True)
    return ["/usr/bin/python3", "-B", program, "--config", config, "--ready-file", ready, "--die-with-parent"], ready


def read_ready_file(path):
    """The simulator's list of what it serves, by name; None until it is complete."""
    try:
        return {entry["name"]: entry for entry in json.loads(path.read_text())}
    except (FileNotFoundError, ValueError):
        return None
