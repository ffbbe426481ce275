"""Several requests in the body of one, as GCS and Azure take them: ``multipart/mixed`` of ``application/http``."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Sequence

from persona.errors import PersonaError
from persona.storage.backends.rest import Request, RestClient


async def send_batch(
    rest: RestClient, path: str, requests: Sequence[Request], *, query: dict[str, str] | None = None
) -> None:
    """Send requests without content as one; that what is to be deleted is not there is no error.

    Args:
        rest: the client.
        path: where batches go to.
        requests: the requests, signed if each has to be.
        query: parameters of the batch.

    Raises:
        PersonaError: the batch was refused, or done in part.
    """
    boundary = uuid.uuid4().hex
    headers = {"content-type": f"multipart/mixed; boundary={boundary}"}
    reply = await rest.send("POST", path, query=query, headers=headers, body=_body(boundary, requests))
    statuses = [int(status) for status in re.findall(rb"^HTTP/[\d.]+ (\d{3})\b", reply.body, re.MULTILINE)]
    if len(statuses) != len(requests) or any(status >= 300 and status != 404 for status in statuses):
        raise PersonaError("The batch was done in part.")


def _body(boundary: str, requests: Iterable[Request]) -> bytes:
    parts: list[str] = []
    for number, request in enumerate(requests):
        lines = "".join(f"{name}: {text}\r\n" for name, text in request.headers.items())
        parts.append(
            f"--{boundary}\r\ncontent-type: application/http\r\ncontent-transfer-encoding: binary\r\n"
            f"content-id: <{number}>\r\n\r\n{request.method} {request.target} HTTP/1.1\r\n"
            f"{lines}content-length: 0\r\n\r\n"
        )
    return f"{''.join(parts)}--{boundary}--\r\n".encode()
