"""Which endpoints are the providers' own, by their hosts: what these do is documented, and need not be probed.

A host that merely lies in a provider's domain is not enough: anybody's virtual machine is at
``ec2-….amazonaws.com``, anybody's load balancer at ``….elb.amazonaws.com``.
"""

from __future__ import annotations

import re
from dataclasses import replace
from urllib.parse import urlsplit

from persona.storage.capabilities import DOCUMENTED, NOT_HONOURED, Capabilities

_AWS_REGION = r"[a-z]{2,4}(?:-[a-z]+)+-\d+"
_AWS_SUFFIX = "|".join(  # botocore, "partitions.json": dnsSuffix and dualStackDnsSuffix
    map(
        re.escape,
        (
            "amazonaws.com",
            "api.aws",
            "amazonaws.com.cn",
            "api.amazonwebservices.com.cn",
            "amazonaws.eu",
            "api.amazonwebservices.eu",
            "c2s.ic.gov",
            "api.aws.ic.gov",
            "sc2s.sgov.gov",
            "api.aws.scloud",
            "cloud.adc-e.uk",
            "api.cloud-aws.adc-e.uk",
            "csp.hci.ic.gov",
            "api.aws.hci.ic.gov",
        ),
    )
)
_S3 = re.compile(  # Amazon S3 User Guide, "Dual-stack endpoints", "AWS PrivateLink for Amazon S3"; "S3 endpoints"
    rf"(?:.+\.)?(?:"
    rf"s3|s3-external-1|s3-accelerate(?:\.dualstack)?"
    rf"|s3(?:-fips)?[.-]{_AWS_REGION}"
    rf"|s3(?:-fips)?\.dualstack\.{_AWS_REGION}"
    rf"|s3-accesspoint(?:-fips)?(?:\.dualstack)?\.{_AWS_REGION}"
    rf"|vpce-[a-z0-9-]+\.s3\.{_AWS_REGION}\.vpce"
    rf")\.(?:{_AWS_SUFFIX})"
)
_S3_EXPRESS = re.compile(  # Amazon S3 User Guide, "Regional and zonal endpoints for directory buckets"
    rf"(?:.+\.)?s3express(?:-fips)?-[a-z0-9-]+(?:\.dualstack)?\.{_AWS_REGION}\.(?:{_AWS_SUFFIX})"
)
_GOOGLE = re.compile(  # Google Cloud Storage, "Request endpoints", "Regional endpoints"; "Private Service Connect"
    r"(?:storage|www|private|restricted|storage\.mtls)\.googleapis\.com"
    r"|storage\.[a-z0-9-]+\.rep\.googleapis\.com|storage-[a-z0-9-]+\.p\.googleapis\.com"
)
_AZURE = re.compile(  # "Storage account overview": standard and DNS zone endpoints; "Azure Government", "Azure China"
    r"[a-z0-9-]+(?:\.privatelink)?\.blob\.core\.(?:windows\.net|chinacloudapi\.cn|usgovcloudapi\.net|cloudapi\.de)"
    r"|[a-z0-9-]+\.z\d+(?:\.privatelink)?\.blob\.storage\.azure\.net"
)


def s3(endpoint: str) -> Capabilities | None:
    """Return what an endpoint of Amazon S3 can do; None if it is not Amazon's."""
    return DOCUMENTED if _is(_S3, endpoint) else None


def s3_express(endpoint: str) -> Capabilities | None:
    """Return what an endpoint for directory buckets can do; None if it is none.

    Deletes take ``If-Match`` on general purpose buckets only (Amazon S3 User Guide, "How to perform conditional
    deletes").
    """
    return replace(DOCUMENTED, deletes=NOT_HONOURED) if _is(_S3_EXPRESS, endpoint) else None


def google(endpoint: str) -> Capabilities | None:
    """Return what an endpoint of Google Cloud Storage can do; None if it is not Google's."""
    return DOCUMENTED if _is(_GOOGLE, endpoint) else None


def azure(endpoint: str) -> Capabilities | None:
    """Return what an endpoint of Azure Blob Storage can do; None if it is not Microsoft's."""
    known = replace(DOCUMENTED, names=None)  # Azure is known to change some names, and does not say which
    return known if _is(_AZURE, endpoint) else None


def _is(hosts: re.Pattern[str], endpoint: str) -> bool:
    """Say whether an endpoint's host is one of these, at the port of its scheme."""
    parts = urlsplit(endpoint)
    host = (parts.hostname or "").removesuffix(".")
    default = {"http": 80, "https": 443}.get(parts.scheme)
    return parts.port in (None, default) and endpoint.isascii() and hosts.fullmatch(host) is not None
