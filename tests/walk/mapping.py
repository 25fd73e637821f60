"""What a satellite's answers must look like on the facade: a second implementation of the URI mapping.

Written from the specification alone, for clarity and not for speed, so that it can judge the product's own mapping.
It works on the text as it was sent: every byte that is not part of a mapped URI stays.
"""

import re
from pathlib import Path

ROOT = "/redfish/v1"

_COLLECTIONS = """
    AggregationService/{Aggregates,AggregationSources,ConnectionMethods} AutomationNodes Cables
    CertificateService/{CertificateEnrollments,EnrollmentCACertificates} Chassis ComponentIntegrity
    CompositionService/{ActivePool,CompositionReservations,FreePool,ResourceBlocks,ResourceZones}
    EventService/Subscriptions Fabrics Facilities JobService/{Documents,Executors,Jobs,Log/Entries}
    KeyService/{NVMeoFKeyPolicies,NVMeoFSecrets} LicenseService/Licenses Managers NVMeDomains
    PowerEquipment/{ElectricalBuses,FloorPDUs,PowerShelves,RackPDUs,Switchgear,TransferSwitches} RegisteredClients
    Registries ResourceBlocks Storage StorageServices StorageSystems Systems TaskService/Tasks
    TelemetryService/{LogService/Entries,MetricDefinitions,MetricReportDefinitions,MetricReports,TelemetryData,Triggers}
    ThermalEquipment/{CDUs,CoolingLoops,HeatExchangers,ImmersionUnits,RPUs}
    UpdateService/{ClientCertificates,FirmwareInventory,LocalImageStore,RemoteServerCertificates,RemoteServerSSHKeys,SoftwareInventory}
"""
_SINGLETONS = """AccountService AggregationService CertificateService CompositionService EventService JobService KeyService
    LicenseService PowerEquipment ServiceConditions SessionService TaskService TelemetryService ThermalEquipment
    UpdateService JsonSchemas odata $metadata"""
_UNLISTED = ["taskservice/taskmonitors"]  # maps like a collection, never shown as one
_REGISTRY_NAMES = [line for line in (Path(__file__).parent / "registries.txt").read_text().split("\n")
                   if line and not line.startswith("#")]
_PUBLISHED = re.compile(f"({'|'.join(_REGISTRY_NAMES)})" + r"(\.[0-9]+){2,3}")
_OUTSIDE_NAMES = re.compile(r"(Uri|URI)$|^(uri|extref|Image)$")


def _expand(text):
    names = []
    for word in text.split():
        before, brace, inside = word.partition("{")
        names += [before + part for part in inside.rstrip("}").split(",")] if brace else [word]
    return names


COLLECTIONS = _expand(_COLLECTIONS)
_COLLECTION_KEYS = {name.lower() for name in COLLECTIONS} | set(_UNLISTED)
_SINGLETON_KEYS = {name.lower() for name in _SINGLETONS.split()} | {
    "/".join(name.lower().split("/")[:depth]) for name in COLLECTIONS for depth in range(1, name.count("/") + 1)}


def split_path(uri):
    """The path below the root as segments, or None where it is not a URI of the tree. Query and fragment do not count."""
    path = re.split(r"[?#]", uri, maxsplit=1)[0]
    if not path.lower().startswith(ROOT):
        return None
    rest = path[len(ROOT):]
    if rest and not rest.startswith("/"):
        return None
    rest = rest.rstrip("/")
    if not rest:
        return []
    segments = rest[1:].split("/")
    return None if "" in segments else segments


def collection_depth(segments):
    """How many segments name the first top-level collection on the path; 0 if there is none."""
    for depth in range(1, len(segments) + 1):
        if "/".join(segments[:depth]).lower() in _COLLECTION_KEYS:
            return depth
    return 0


def is_merged(segments):
    """Exactly the root, a service or a top-level collection: what the facade shows as its own."""
    name = "/".join(segments).lower()
    return not segments or name in _SINGLETON_KEYS or name in _COLLECTION_KEYS


def is_published_registry(uri):
    """Exactly a member of Registries by a name of DMTF's and a version: the same on every satellite."""
    segments = split_path(uri)
    return (segments is not None and len(segments) == 2 and segments[0].lower() == "registries"
            and _PUBLISHED.fullmatch(segments[1]) is not None)


def path_key(uri):
    """What two URIs of one resource have in common."""
    segments = split_path(uri)
    return None if segments is None else "/".join(segments).lower()


class Mapping:
    """The mapping of one satellite. `hosts`: authorities ("host", "host:port") under which the satellite knows itself."""

    def __init__(self, prefix, hosts=()):
        self.prefix = prefix
        self.hosts = {host.lower() for host in hosts}

    def uri(self, uri):
        """The facade's URI of one of the satellite's; None for what is not the satellite's."""
        spot = self._insertion(uri)
        if spot is None:
            return None
        return uri if spot < 0 else uri[:spot] + self.prefix + "_" + uri[spot:]

    def listed_uri(self, uri):
        """As uri(), for a member as a merged collection lists it: a published registry is everybody's."""
        return uri.rstrip("/") if is_published_registry(uri) else self.uri(uri)

    def own_uri(self, uri):
        """The address under which exactly this resource of the satellite is asked for, also where uri() is merged."""
        segments = split_path(uri)
        if segments is None:
            return f"{ROOT}/{self.prefix}_-/{uri.lstrip('/')}"
        if segments and is_merged(segments):
            return f"{ROOT}/{self.prefix}_{uri[len(ROOT) + 1:]}"
        return self.uri(uri)

    def _insertion(self, uri):
        """Where the prefix goes; -1 for a URI that stays; None for one that is not of the tree."""
        segments = split_path(uri)
        if segments is None:
            return None
        depth = collection_depth(segments)
        if depth and depth < len(segments):
            return len(ROOT) + 1 + sum(len(segment) + 1 for segment in segments[:depth])
        return -1 if is_merged(segments) else len(ROOT) + 1

    def body(self, raw, asked, listed=False):
        """Body text (str) of the answer to GET `asked` (the satellite's URI), as the facade's own_uri(asked) shows it, or its
        listed_uri(asked)."""
        return "".join(_JsonMapper(self, raw, asked, listed and is_published_registry(asked)).pieces())

    def header(self, value):
        """Value of Location, Content-Location or Link."""
        return self._apply(value, self.edits(value, "", None))

    def edits(self, text, name, self_key, bare=False):
        """The changes in one decoded string value of property `name`: (begin, end, replacement). `bare`: what was asked for
        names itself without the prefix."""
        found = []
        for match in _CANDIDATE.finditer(text):
            begin, url_host = match.start("path"), match.group("host")
            if url_host is not None:
                if url_host.lower() not in self.hosts:
                    continue
            elif begin > 0 and re.match(r"[A-Za-z0-9_/.:\-]", text[begin - 1]):
                continue
            uri = match.group("path")
            whole = match.start() == 0 and match.end() == len(text)
            if not whole and uri.endswith((".", ":")):
                uri = uri[:-1]
            if split_path(uri) is None:
                continue
            if url_host is not None:
                found.append((match.start(), begin, ""))
            spot = self._insertion(uri)
            if self_key is not None and path_key(uri) == self_key and split_path(uri):
                spot = -1 if bare else len(ROOT) + 1
            if spot >= 0:
                found.append((begin + spot, begin + spot, self.prefix + "_"))
        if not found and _OUTSIDE_NAMES.search(name) and re.match(r"/(?!/)", text) and not _IN_TREE.match(text):
            found.append((0, 1, f"{ROOT}/{self.prefix}_-/"))
        return found

    @staticmethod
    def _apply(text, edits):
        for begin, end, replacement in reversed(edits):
            text = text[:begin] + replacement + text[end:]
        return text


# A path of the tree, alone or at the end of a URL; it ends where prose or markup begins.
_CANDIDATE = re.compile(r"(?:(?:https?)://(?P<host>[^/\s\"'<>]*))?(?P<path>/redfish/v1(?![^/\s\"'<>,;)\]\\?#.:])[^\s\"'<>,;)\]\\]*)", re.I)
_IN_TREE = re.compile(r"/redfish/v1(/|$)", re.I)

_TOKEN = re.compile(r'"(?P<text>(?:[^"\\]|\\.)*)"|(?P<mark>[{}\[\],:])', re.S)
_ESCAPE = re.compile(r'\\u[0-9a-fA-F]{4}|\\.|.', re.S)
_SIMPLE = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


def _units(raw):
    """The characters of a JSON string, each with its spelling."""
    for match in _ESCAPE.finditer(raw):
        spelt = match.group()
        if len(spelt) == 1:
            yield spelt, spelt
        elif spelt[1] == "u":
            yield chr(int(spelt[2:], 16)), spelt
        else:
            yield _SIMPLE.get(spelt[1], spelt[1]), spelt


def decode(raw):
    return "".join(char for char, _ in _units(raw)) if "\\" in raw else raw


class _JsonMapper:
    """Passes over the tokens of a JSON text, copying what is between the changes."""

    def __init__(self, mapping, raw, asked, bare):
        self.mapping, self.raw, self.bare = mapping, raw, bare
        segments = split_path(asked) or []
        depth = collection_depth(segments)
        self.self_key = path_key(asked) if segments and (bare or is_merged(segments)) else None
        self.member_id = segments[-1] if depth and len(segments) == depth + 1 and not bare else None
        # What each object inside says that it is.
        self.names = {number: decode(token.group("text")) for token, key, _, number in self._values() if key == "@odata.id"}

    def pieces(self):
        copied = 0
        for token, key, depth, number in self._values():
            text = token.group("text")
            is_id = key == "Id" and decode(text) == (self.member_id if depth == 1 else self._member_id(number))
            changed = f"{self.mapping.prefix}_{text}" if is_id else self._string(text, key)
            if changed != text:
                yield self.raw[copied:token.start("text")] + changed
                copied = token.end("text")
        yield self.raw[copied:]

    def _values(self):
        """(token, name, depth, number of the innermost object or list) of each string that is a value."""
        stack, key, expects_key, count = [], "", False, 0
        for token in _TOKEN.finditer(self.raw):
            mark = token.group("mark")
            if mark is None:
                if expects_key:
                    key, expects_key = decode(token.group("text")), False
                else:
                    yield token, key, len(stack), stack[-1][2] if stack else None
            elif mark in "{[":
                stack.append((mark, key, count))
                count += 1
                expects_key = mark == "{"
            elif mark in "}]":
                _, key, _ = stack.pop()
                expects_key = False
            elif mark == ",":
                expects_key = bool(stack) and stack[-1][0] == "{"

    def _member_id(self, number):
        """The Id that an object inside has as a member of a top-level collection, or None."""
        name = self.names.get(number, "")
        segments = split_path(name) or [] if not re.search(r"[?#]", name) else []
        depth = collection_depth(segments)
        return segments[-1] if depth and len(segments) == depth + 1 else None

    def _string(self, spelt, key):
        text = decode(spelt)
        if "/" not in text:
            return spelt
        edits = self.mapping.edits(text, key, self.self_key, self.bare)
        if not edits:
            return spelt
        units = [unit for _, unit in _units(spelt)]
        for begin, end, replacement in reversed(edits):
            units[begin:end] = [replacement]
        return "".join(units)
