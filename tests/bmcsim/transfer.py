"""Large bodies: updates that are pushed in and downloads, neither ever held in memory."""

import hashlib
import json
import random
import re
import struct

from reply import Reply, refuse
from tree import ROOT, clean

CHUNK = 65536
DOWNLOAD = re.compile(ROOT + r"/Download/(\d{1,12})", re.IGNORECASE)
BLOCK = random.Random(20200220).randbytes(CHUNK - 8)
MOST_UPLOADS = 1000


# downloads: byte i of every download is the same for all sizes

def blocks(size):
    number = 0
    while size > 0:
        block = struct.pack(">Q", number) + BLOCK
        yield block[:size]
        size -= CHUNK
        number += 1


def download_sha256(size):
    digest = hashlib.sha256()
    for block in blocks(size):
        digest.update(block)
    return digest.hexdigest()


def download(path, query):
    """The reply if path is a download's, else None."""
    found = DOWNLOAD.fullmatch(path)
    if not found:
        return None

    async def stream():
        for block in blocks(size):
            yield block

    size = int(found[1])
    chunked = any(name == "chunked" and value not in ("", "0") for name, value in query)
    return Reply(200, headers={"Content-Type": "application/octet-stream"}, stream=stream(),
                 length=None if chunked else size)


# uploads

class Uploads:
    def __init__(self, satellite):
        self._sat = satellite
        self.received = []

    def accepts(self, path):
        """Whether the tree names this path for pushing updates, by whatever resource."""
        service = self._sat.tree.get(f"{ROOT}/UpdateService")
        named = [service.get("HttpPushUri"), service.get("MultipartHttpPushUri")]
        return any(isinstance(uri, str) and clean(uri).lower() == path.lower() for uri in named)

    async def receive(self, call):
        record = {"satellite": self._sat.options.name, "uri": call.path, "finished": False, "size": 0, "sha256": None,
                  "content_type": call.headers.get("Content-Type"), "filename": None, "parameters": None,
                  "parts": []}
        self.received.append(record)
        del self.received[:-MOST_UPLOADS]
        await call.proceed()
        if (record["content_type"] or "").lower().startswith("multipart/form-data"):
            await self._multipart(call, record)
        else:
            await self._hash(call.request.content.iter_chunked(CHUNK), record)
        record["finished"] = True
        call.body_sha256, call.body_size = record["sha256"], record["size"]
        return self._sat.tasks.start(call, record["parameters"], "Update")

    async def _multipart(self, call, record):
        try:
            reader = await call.request.multipart()
            async for part in reader:
                record["parts"].append(part.name)
                if part.name == "UpdateParameters":
                    record["parameters"] = json.loads(await part.read(decode=False))
                elif part.name == "UpdateFile":
                    record["filename"] = part.filename
                    await self._hash(chunks_of(part), record)
                else:
                    await part.release()
        except (ValueError, AssertionError):
            refuse(400, "UnrecognizedRequestBody")
        for name in ("UpdateParameters", "UpdateFile"):
            if name not in record["parts"]:
                refuse(400, "ActionParameterMissing", "MultipartHttpPushUri", name, properties=[name])

    @staticmethod
    async def _hash(chunks, record):
        digest = hashlib.sha256()
        async for chunk in chunks:
            digest.update(chunk)
            record["size"] += len(chunk)
        record["sha256"] = digest.hexdigest()


async def chunks_of(part):
    while chunk := await part.read_chunk(CHUNK):
        yield chunk
