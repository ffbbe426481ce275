"""Where a bucket of S3 is reached: its region, its host, and where its name stands in the address."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from persona.config.profiles import AWSConfig
from persona.config.schema import S3Settings
from persona.errors import ConfigError
from persona.storage.backends import hosts
from persona.storage.paths import printable

REGION = re.compile(r"[A-Za-z0-9._-]{1,64}")
_SUFFIXES = {  # botocore's "partitions"; the AWS General Reference names those that are public
    "cn-": "amazonaws.com.cn",
    "eusc-": "amazonaws.eu",
    "us-iso-": "c2s.ic.gov",
    "us-isob-": "sc2s.sgov.gov",
    "eu-isoe-": "cloud.adc-e.uk",
    "us-isof-": "csp.hci.ic.gov",
}


@dataclass(frozen=True, slots=True)
class S3Address:
    """Where a bucket is reached.

    Args:
        url: the address of the bucket.
        region: the region that requests are signed for.
        declared: the region that is set somewhere, or None.
        service: the address of a service that is set somewhere, or None for AWS's own.
    """

    url: str
    region: str
    declared: str | None
    service: str | None


def find(settings: S3Settings, config: AWSConfig) -> S3Address:
    """Return where the bucket is reached.

    Args:
        settings: the configuration, which counts most.
        config: what the user's own configuration of AWS says.

    Raises:
        ConfigError: the region cannot be one, or what is set does not go together.
    """
    environ = os.environ.get
    declared = settings.region or environ("AWS_REGION") or environ("AWS_DEFAULT_REGION") or config.region
    region = declared or "us-east-1"
    if not REGION.fullmatch(region):
        raise ConfigError(
            f"“{printable(region)}” cannot be a region.", hint="A region is a word such as eu-west-2, in ASCII."
        )
    service = settings.endpoint_url or config.endpoint_url
    bucket = settings.bucket or ""
    _check_kind(bucket, service)
    if service is None:
        return S3Address(_at_aws(bucket, region, settings.addressing_style, config), region, declared, None)
    host = urlsplit(service).hostname or ""
    if config.fips and "fips" not in host:
        raise ConfigError(
            f"An endpoint with FIPS is asked for, and the endpoint_url is {service}.",
            hint="Unset AWS_USE_FIPS_ENDPOINT (use_fips_endpoint of the profile), or name an endpoint with FIPS.",
        )
    style = _style(settings.addressing_style, config)
    url = _virtual(service, bucket) if style == "virtual" else f"{service}/{bucket}"
    return S3Address(url, region, declared, service)


def _at_aws(bucket: str, region: str, style: str, config: AWSConfig) -> str:
    """Return the address of a bucket at AWS (Amazon S3 User Guide: "Virtual hosting of buckets", "Making requests to
    Amazon S3 over IPv6", "Getting started with Amazon S3 Transfer Acceleration").

    Names with dots go into the path, since no certificate for ``*.s3.region.amazonaws.com`` covers them.
    """
    style = _style(style, config)
    suffix = next((each for start, each in _SUFFIXES.items() if region.startswith(start)), "amazonaws.com")
    dual_stack = "dualstack." if config.dual_stack else ""
    if config.accelerate:
        if config.fips or style == "path" or "." in bucket:
            raise ConfigError(
                "S3 Transfer Acceleration, which the profile asks for, does not work with FIPS, with addressing_style "
                "“path” or with a dot in the bucket's name.",
                hint="Set use_accelerate_endpoint of the profile to false, or change the other setting.",
            )
        return f"https://{bucket}.s3-accelerate.{dual_stack}{suffix}"
    name = "s3-fips" if config.fips else "s3"
    endpoint = f"https://{name}.{dual_stack}{region}.{suffix}"
    virtual = style == "virtual" or (style == "auto" and "." not in bucket)
    return _virtual(endpoint, bucket) if virtual else f"{endpoint}/{bucket}"


def _check_kind(bucket: str, service: str | None) -> None:
    """Refuse directory buckets of AWS; a service of another kind may give any name to a bucket."""
    own = service is None or hosts.s3(service) is not None
    if (own and bucket.endswith(("--x-s3", "--xa-s3"))) or (service and hosts.s3_express(service)):
        raise ConfigError(
            f"“{bucket}” is a directory bucket (S3 Express One Zone), which Persona does not support: requests to it "
            "are signed for a session, and its listings have no order.",
            hint="Use a general purpose bucket: persona storage config set s3.bucket NAME",
        )


def _style(style: str, config: AWSConfig) -> str:
    return config.addressing_style or style if style == "auto" else style


def _virtual(endpoint: str, bucket: str) -> str:
    scheme, _, rest = endpoint.partition("://")
    return f"{scheme}://{bucket}.{rest}"
