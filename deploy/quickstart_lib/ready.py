"""When a mesh is ready: every satellite and its collections show on every facade."""

import http.client
import sys
import threading
import time

from .client import Client
from .problem import Problem
from .tools import CHECKOUT

sys.path.insert(0, str(CHECKOUT / "tests/walk"))
from mapping import ROOT, Mapping, collection_depth, is_merged, split_path  # noqa: E402  (the path comes first)

NO_ANSWER = (OSError, http.client.HTTPException)
# Standard ones are listed once for all satellites, not once per satellite.
SHARED_COLLECTIONS = {"registries"}
_POLL = 0.05


def wait_until(condition, seconds, what):
    """condition() returns what is still missing (a sentence), or nothing. Problem after `seconds`."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while True:
        missing = condition()
        if not missing:
            return
        if time.monotonic() > deadline:
            raise Problem(f"{what}: not within {seconds:.0f} s: {missing}")
        pause.wait(_POLL)


def satellite_client(satellite, timeout=30.0):
    """By Basic authentication, so that no session is left behind on the BMC."""
    return Client(satellite.url, satellite.user, satellite.password(), satellite.ca, satellite.fingerprint,
                  satellite.insecure, timeout)


def links(document):
    """Every @odata.id in a JSON document."""
    if isinstance(document, dict):
        target = document.get("@odata.id")
        if isinstance(target, str):
            yield target
        for value in document.values():
            yield from links(value)
    elif isinstance(document, list):
        for value in document:
            yield from links(value)


def _get_json(client, target):
    answer = client.get(target)
    if answer.status != 200:
        return {}
    try:
        document = answer.json()
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def top_collections(client):
    """{URI: [member URIs]} of a satellite's top-level collections, as its root and its services link them."""
    found, seen, pending = {}, set(), [ROOT + "/"]
    while pending:
        document = _get_json(client, pending.pop())
        for uri in links(document):
            segments = split_path(uri)
            key = uri.rstrip("/").lower()
            if not segments or not is_merged(segments) or key in seen or "#" in uri:
                continue
            seen.add(key)
            if collection_depth(segments) == len(segments):
                members = _get_json(client, uri).get("Members")
                if isinstance(members, list):
                    found[uri.rstrip("/")] = [member["@odata.id"] for member in members if "@odata.id" in member]
            elif segments[0].lower() not in ("jsonschemas", "sessionservice", "accountservice"):
                pending.append(uri)
    return found


class Readiness:
    """What every facade must show, asked of the satellites once."""

    def __init__(self, satellites):
        self.expected = []  # (satellite, collection, mapped members)
        for satellite in satellites:
            try:
                with satellite_client(satellite) as client:
                    collections = top_collections(client)
            except NO_ANSWER as error:
                raise Problem(f"satellite {satellite.name} ({satellite.url}) does not answer: {error}") from error
            if not collections:
                raise Problem(f"satellite {satellite.name} ({satellite.url}) shows no collection to user "
                              f"'{satellite.user}'")
            mapping = Mapping(satellite.prefix)
            for uri, members in collections.items():
                if uri[len(ROOT) + 1:].lower() not in SHARED_COLLECTIONS:
                    self.expected.append((satellite, uri, [mapping.uri(member) for member in members]))

    def missing(self, client):
        """The first thing that this facade does not show yet, or None."""
        shown, troubles = {}, {}
        try:
            for satellite, uri, members in self.expected:
                if uri not in shown:
                    answer = client.get(uri)
                    if answer.status != 200:
                        return f"{client.url}{uri} answers {answer.status}"
                    document = answer.json()
                    shown[uri] = {member["@odata.id"] for member in document.get("Members", [])}
                    troubles[uri] = [word for entry in document.get("@Message.ExtendedInfo", []) for word in entry["MessageArgs"]]
                absent = [member for member in members if member not in shown[uri]]
                if absent:
                    return f"{client.url}{uri} does not list {absent[0]} of {satellite.name}"
                if any(word.endswith("/" + satellite.prefix) for word in troubles[uri]):
                    return f"{client.url}{uri} lists members of {satellite.name} that cannot be asked"
        except NO_ANSWER as error:
            return f"{client.url}: {error}"
        except (ValueError, AttributeError, TypeError, KeyError):
            return f"{client.url}{uri} is not a collection"
        return None
