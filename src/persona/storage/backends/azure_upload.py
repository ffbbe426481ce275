"""Blobs put together of blocks (Azure Storage REST API, "Put Block", "Put Block List" and "Get Block List")."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from persona.errors import PersonaError, VerificationError
from persona.storage.backend import Digest
from persona.storage.backends.answers import etag_in, parse_xml, size_in, text_in, text_of, understood
from persona.storage.backends.faults import RepeatedError
from persona.storage.backends.primitives import Part, Written
from persona.storage.backends.rest import RestClient
from persona.storage.backends.uploads import base64_of, md5_of

BLOCKS = "blocks"
"""What stands for an upload: blocks belong to a blob's name, and to nothing besides."""


class BlockUpload:
    """A blob that is put together of blocks.

    A block's name holds its number and its MD5, which the server checks when it comes: the list of names says which
    blocks are there and that they are right, and no upload can take another's blocks for its own.

    Args:
        rest: the client.
        path: the path of the blob's URL.
        headers: what goes with the commit: content type, metadata, condition.
        encryption: what goes with each block and the commit.
    """

    token = BLOCKS

    def __init__(self, rest: RestClient, path: str, headers: Mapping[str, str], encryption: Mapping[str, str]) -> None:
        self._rest = rest
        self._path = path
        self._headers = headers
        self._encryption = encryption
        self._blocks: dict[int, str] = {}
        self._there: dict[str, int] = {}
        self._md5 = md5_of()

    async def resume(self) -> bool:
        """List the blocks that the server has; False if there are none."""
        query = {"comp": "blocklist", "blocklisttype": "uncommitted"}
        try:
            reply = await self._rest.send("GET", self._path, query=query)
        except PersonaError as error:  # listing blocks is a permission of its own
            if error.temporary:
                raise
            return False
        with understood(self._rest.host):
            root = parse_xml(reply.body, "BlockList")
            self._there = {
                text_of(block, "Name"): size_in(text_of(block, "Size"))
                for block in root.iterfind("UncommittedBlocks/Block")
            }
        return bool(self._there)

    async def foresee(self, data: Part) -> None:
        """Go on with the MD5 of the whole, since Azure computes none of such a blob and ours is stored with it."""
        await self._rest.in_thread(lambda: self._md5.update(data))

    async def part(self, number: int, data: Part) -> None:
        """Send a block, unless the server has the very same."""
        md5 = await self._rest.in_thread(lambda: md5_of(data).digest())
        block = base64.b64encode(b"%06d" % number + md5).decode("ascii")
        self._blocks[number] = block
        if self._there.get(block) == len(data):
            return
        sent = base64_of(md5.hex())
        reply = await self._rest.send(
            "PUT",
            self._path,
            query={"comp": "block", "blockid": block},
            headers={"content-md5": sent, **self._encryption},
            body=data,
        )
        if reply.headers.get("content-md5", sent) != sent:
            raise VerificationError(
                f"Block {number + 1} arrived damaged at {self._rest.host}; nothing was written.", hint="Write it again."
            )

    async def finish(self) -> Written:
        """Commit the blocks."""
        md5 = self._md5.digest()
        kept = base64.b64encode(md5).decode("ascii")
        blocks = "".join(f"<Latest>{self._blocks[number]}</Latest>" for number in sorted(self._blocks))
        headers = {"x-ms-blob-content-md5": kept, "content-type": "application/xml"}
        body = f'<?xml version="1.0" encoding="utf-8"?><BlockList>{blocks}</BlockList>'.encode()
        try:
            reply = await self._rest.send(
                "PUT",
                self._path,
                query={"comp": "blocklist"},
                headers={**self._headers, **self._encryption, **headers},
                body=body,
            )
        except RepeatedError:  # the commit whose answer was lost is what stands there, if it is of these very blocks
            query = {"comp": "blocklist", "blocklisttype": "committed"}
            reply = await self._rest.send("GET", self._path, query=query, allow=[403, 404])
            if reply.status != 200 or not self._has_ours(reply.body):
                raise
        with understood(self._rest.host):
            return Written(etag_in(text_in(reply.headers, "etag")), Digest("md5", md5.hex()))

    def _has_ours(self, body: bytes) -> bool:
        """Say whether a blob is of our blocks: their names hold MD5s that were checked, unlike that of the blob."""
        with understood(self._rest.host):
            root = parse_xml(body, "BlockList")
            names = [text_of(block, "Name") for block in root.iterfind("CommittedBlocks/Block")]
        return names == [self._blocks[number] for number in sorted(self._blocks)]

    async def abort(self) -> None:
        """Do nothing: uncommitted blocks cannot be deleted, are not seen, and expire within a week."""
