"""The resources of one satellite: stored bytes, read when asked for, and a layer of changes in memory above them."""

import functools
import hashlib
import json
import mimetypes
import os
import re
from dataclasses import dataclass
from typing import Optional

from reply import encode

ROOT = "/redfish/v1"
ETAG = re.compile(r'(W/)?"[\x21\x23-\x7e]*"')


@dataclass
class Meta:
    etag: str
    odata_type: str     # "#ComputerSystem.v1_20_0.ComputerSystem", "" if it has none
    type: str           # "ComputerSystem"
    json: bool          # a JSON object
    collection: bool


class Store:
    """Immutable base of a tree; satellites with the same mockup share one. A source is a file name or the bytes."""

    def __init__(self):
        self.sources = {}
        self.headers = {}
        self.folded = {}

    def add(self, key, source):
        self.sources[key] = source
        self.folded.setdefault(key.lower(), key)


@functools.lru_cache(maxsize=64)
def load_mockup(folder):
    """Only names are read here; bodies when they are asked for."""
    store = Store()
    folder = os.path.realpath(folder)
    if not os.path.isdir(os.path.join(folder, "redfish", "v1")):
        raise ValueError(f"{folder}: no redfish/v1 in it")
    for place, folders, files in os.walk(folder):
        folders.sort()
        key = place[len(folder):]
        present = set(files)
        for name in sorted(files):
            path = os.path.join(place, name)
            if name == "headers.json":
                store.headers[key] = path
            elif name == "index.json" or (name == "index.xml" and "index.json" not in present):
                store.add(key, path)
            elif name not in ("index.xml", "error.txt", "explorer_config.json"):
                store.add(f"{key}/{name}", path)
    return store


def clean(path):
    return path.rstrip("/") or "/"


def parent(key):
    return key.rpartition("/")[0]


class Tree:
    def __init__(self, store):
        self._store = store
        self._own = {}      # key -> bytes, or None where the stored one is deleted
        self._folded = {}
        self._meta = {}

    def _exists(self, key):
        return self._own[key] is not None if key in self._own else key in self._store.sources

    def find(self, path) -> Optional[str]:
        """The key of the resource at a decoded path: as spelt, else without regard to case; None if there is none."""
        path = clean(path)
        if self._exists(path):
            return path
        folded = path.lower()
        for key in (self._folded.get(folded), self._store.folded.get(folded)):
            if key is not None and self._exists(key):
                return key
        return None

    def keys(self):
        stored = [key for key in self._store.sources if key not in self._own]
        return stored + [key for key, body in self._own.items() if body is not None]

    def read(self, key) -> bytes:
        body = self._own.get(key)
        if body is None:
            body = self._store.sources[key]
        if isinstance(body, str):
            with open(body, "rb") as file:
                return file.read()
        return body

    def json(self, key):
        return json.loads(self.read(key))

    def get(self, path):
        """The parsed JSON object at path, {} if there is none."""
        key = self.find(path)
        if key is None or not self.meta(key).json:
            return {}
        return self.json(key)

    def meta(self, key) -> Meta:
        found = self._meta.get(key)
        if found is None:
            found = self._meta[key] = self._inspect(key, self.read(key))
        return found

    def _inspect(self, key, body):
        value = None
        if not key.endswith("$metadata") and body.lstrip()[:1] == b"{":
            try:
                value = json.loads(body)
            except ValueError:
                value = None
        digest = '"' + hashlib.blake2b(body, digest_size=12).hexdigest() + '"'
        if not isinstance(value, dict):
            return Meta(digest, "", "", False, False)
        named = value.get("@odata.etag")
        etag = named if isinstance(named, str) and ETAG.fullmatch(named) else digest
        odata_type = str(value.get("@odata.type", ""))
        kind = odata_type.lstrip("#").partition(".")[0]
        return Meta(etag, odata_type, kind, True, isinstance(value.get("Members"), list))

    def content_type(self, key):
        if self.meta(key).json:
            return "application/json"
        source = self._store.sources.get(key)
        name = source if isinstance(source, str) else key
        if name.endswith(".xml") or key.endswith("$metadata"):
            return "application/xml"
        if name.endswith(".json"):
            return "application/json"
        return mimetypes.guess_type(name)[0] or "application/octet-stream"

    def headers(self, key, method):
        """Headers that the mockup's headers.json names for this method."""
        path = self._store.headers.get(key)
        if path is None:
            return {}
        with open(path, "rb") as file:
            value = json.load(file)
        value = value.get(method, value.get(method.title(), value if method == "GET" else {}))
        skipped = ("content-length", "transfer-encoding", "connection", "date", "set-cookie", "x-auth-token")
        return {name: str(text) for name, text in value.items() if name.lower() not in skipped
                and not isinstance(text, (dict, list))}

    def put(self, key, body):
        """Stores bytes as they are, or a value with a new @odata.etag where it has one."""
        if not isinstance(body, bytes):
            if isinstance(body.get("@odata.etag"), str):
                weak = "W/" if body["@odata.etag"].startswith("W/") else ""
                rest = {name: value for name, value in body.items() if name != "@odata.etag"}
                digest = hashlib.blake2b(encode(rest), digest_size=12).hexdigest()
                body = dict(body, **{"@odata.etag": f'{weak}"{digest}"'})
            body = encode(body)
        self._own[key] = body
        self._folded.setdefault(key.lower(), key)
        self._meta.pop(key, None)

    def remove(self, key):
        """Deletes the resource with what is below it, and takes it out of its collection."""
        below = key + "/"
        for each in [each for each in self.keys() if each == key or each.startswith(below)]:
            self._own[each] = None
            self._meta.pop(each, None)
        self.remove_member(key)

    def create(self, collection, name, value):
        """Stores a member and lists it. `collection` may be absent; the member is then just not listed."""
        key = f"{collection}/{name}"
        self.put(key, value)
        listing = self.find(collection)
        if listing is not None:
            body = self.json(listing)
            body.setdefault("Members", []).append({"@odata.id": key})
            self._count(body)
            self.put(listing, body)
        return key

    def remove_member(self, key):
        listing = self.find(parent(key))
        if listing is None or not self.meta(listing).collection:
            return
        body = self.json(listing)
        kept = [member for member in body["Members"] if clean(str(member.get("@odata.id", ""))).lower() != key.lower()]
        if len(kept) != len(body["Members"]):
            body["Members"] = kept
            self._count(body)
            self.put(listing, body)

    @staticmethod
    def _count(body):
        body["Members@odata.count"] = len(body["Members"])

    def inline_member(self, path):
        """A member that exists only inside its collection (log entries), or None."""
        listing = self.find(parent(clean(path)))
        if listing is None or not self.meta(listing).collection:
            return None
        for member in self.json(listing)["Members"]:
            if len(member) > 1 and clean(str(member.get("@odata.id", ""))).lower() == clean(path).lower():
                return member
        return None

    def member_type(self, collection):
        """@odata.type for a new member: that of the first one, else derived from the collection's."""
        body = self.json(collection)
        for member in body["Members"]:
            key = self.find(str(member.get("@odata.id", "")))
            if key is not None and self.meta(key).type:
                return self.json(key)["@odata.type"]
        kind = self.meta(collection).type.removesuffix("Collection")
        return f"#{kind}.v1_0_0.{kind}"

    def free_name(self, collection, wanted=""):
        number = 1
        name = wanted or str(number)
        while self.find(f"{collection}/{name}") is not None:
            number += 1
            name = f"{wanted}{number}"
        return name

    def described_by(self, key):
        """Link to the satellite's own JsonSchemas entry if it has one, else to DMTF's; None for what has no type."""
        names = self.meta(key).odata_type.lstrip("#").split(".")
        if not names[0]:
            return None
        full = ".".join(names[:-1]) or names[0]
        target = f"http://redfish.dmtf.org/schemas/v1/{full}.json"
        for name in (full, names[0]):
            if self.find(f"{ROOT}/JsonSchemas/{name}"):
                target = f"{ROOT}/JsonSchemas/{name}"
                break
        return f"<{target}>; rel=describedby"
