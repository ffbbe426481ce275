"""The caches that others use, filled with the same objects, for reads to be measured against."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import cloudpathlib
import diskcache
import fsspec

from persona.config.schema import S3Settings

Reading = Callable[[], Awaitable[int]]
"""Reads all objects, one after another, and returns how many bytes came."""


def peers(folder: Path, objects: Mapping[str, bytes], s3: S3Settings) -> dict[str, Reading]:
    """Return the readings of all peers, by their names.

    Args:
        folder: for what they keep.
        objects: what is read, by its path.
        s3: the bucket that holds the objects, too.
    """
    return {
        "diskcache": of_diskcache(folder / "diskcache", objects),
        "diskcache, least recently used": of_diskcache(
            folder / "diskcache-lru", objects, eviction_policy="least-recently-used"
        ),
        "fsspec filecache, cat_file": of_fsspec(folder / "fsspec", objects, opens=False),
        "fsspec filecache, open": of_fsspec(folder / "fsspec-open", objects, opens=True),
        "cloudpathlib": of_cloudpathlib(folder / "cloudpathlib", objects, s3),
    }


def of_diskcache(folder: Path, objects: Mapping[str, bytes], **options: str) -> Reading:
    """Read by ``Cache.get``; its default evicts what was stored first, and then a read writes nothing down."""
    cache = diskcache.Cache(str(folder), **options)
    for path, content in objects.items():
        cache.set(path, content)

    async def read() -> int:
        return sum(len(cache.get(path)) for path in objects)

    return read


def of_fsspec(folder: Path, objects: Mapping[str, bytes], *, opens: bool) -> Reading:
    """Read through a cache of whole files around local ones: the cheapest there is to ask whether they changed."""
    files = [folder / "objects" / path for path in objects]
    for file, content in zip(files, objects.values(), strict=True):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    system = fsspec.filesystem("filecache", target_protocol="file", cache_storage=str(folder / "kept"))

    def opened(name: str) -> bytes:
        with system.open(name) as file:
            content: bytes = file.read()
            return content

    get = opened if opens else system.cat_file

    async def read() -> int:
        return sum(len(get(str(file))) for file in files)

    return read


def of_cloudpathlib(folder: Path, objects: Mapping[str, bytes], s3: S3Settings) -> Reading:
    """Read by ``read_bytes`` with a cache folder that is kept; each read asks the server for the object's time."""
    assert s3.access_key_id and s3.secret_access_key
    os.environ |= {"AWS_DEFAULT_REGION": s3.region or "", "AWS_EC2_METADATA_DISABLED": "true"}
    client = cloudpathlib.S3Client(
        aws_access_key_id=s3.access_key_id,
        aws_secret_access_key=s3.secret_access_key.reveal(),
        endpoint_url=s3.endpoint_url,
        local_cache_dir=folder,
        file_cache_mode=cloudpathlib.enums.FileCacheMode.persistent,
    )
    names = [client.CloudPath(f"s3://{s3.bucket}/{s3.prefix}/{path}") for path in objects]

    async def read() -> int:
        return sum(len(name.read_bytes()) for name in names)

    return read
