"""Whether a place is in a region that ``storage.residency`` allows."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from persona.config.schema import ResidencySettings
from persona.errors import ConfigError, PersonaError
from persona.storage.backend import Location, StorageBackend
from persona.storage.memory import PlaceMemory

log = logging.getLogger(__name__)
REMEMBERED_SECONDS = 86_400.0
"""How long an answer of the provider is good: a bucket does not move, but another may get its name one day."""
_DECLARE = {
    "s3": "persona storage config set s3.region NAME",
    "gs": "persona storage config set gcs.region NAME",
    "az": "persona storage config set azure.region NAME",
}


@dataclass(frozen=True, slots=True)
class Residence:
    """A place held against the rule.

    Args:
        url: the place.
        rule: what is allowed.
        location: where the place is.
    """

    url: str
    rule: ResidencySettings
    location: Location

    @property
    def ok(self) -> bool:
        """Whether the place is allowed: each of the regions that make it up, or the one that stands for them.

        A folder of this machine is: a rule names regions of providers, and where this machine is, its user knows.
        """
        where, allowed = self.location, self.rule.allow
        if not allowed or where.source == "machine" or where.region in allowed:
            return True
        return bool(where.within) and set(where.within) <= set(allowed)

    @property
    def refused(self) -> bool:
        """Whether nothing may be written there."""
        return not self.ok and self.rule.enforce

    @property
    def where(self) -> str:
        """Where the place is, and who says so, in words."""
        found = self.location
        if found.source == "machine":
            return "this machine"
        if found.region is None:
            return f"not known. {found.why}"
        of = f" ({', '.join(found.within)})" if found.within else ""
        return f"{found.region}{of}" + (f", declared, not checked. {found.why}" if found.source == "declared" else "")

    def refusal(self) -> ConfigError:
        """Return the error for a place that is not allowed."""
        allowed = ", ".join(self.rule.allow)
        if self.location.region is not None:
            declared = "declared to be in" if self.location.source == "declared" else "in"
            return ConfigError(
                f"{self.url} is {declared} {self.location.region}, and storage.residency allows only {allowed}.",
                hint="Use a place in one of these regions, or have the rule changed by whoever answers for it.",
            )
        return ConfigError(
            f"Where {self.url} is cannot be found out, and storage.residency allows only {allowed}. "
            f"{self.location.why}",
            hint=f"If you know where it is, declare it: {_DECLARE.get(self.url.partition(':')[0], 'in its section')}",
        )

    def enforce(self) -> None:
        """Refuse a place that is not allowed, or only warn of it if the rule says so.

        Raises:
            ConfigError: it is not allowed.
        """
        if self.refused:
            raise self.refusal()
        if not self.ok:
            log.warning("%s It is not enforced (storage.residency.enforce).", self.refusal())


class Remembered:
    """What a provider said of a place, for a day, so that a command need not ask each time.

    Args:
        folder: where it is kept.
        place: what tells the bucket or container from every other.
        clock: the wall clock, in seconds.
    """

    def __init__(self, folder: Path, place: str, clock: Callable[[], float] = time.time) -> None:
        self._memory = PlaceMemory(folder, place, REMEMBERED_SECONDS, clock)

    def load(self) -> Location | None:
        """Return it, or None if nothing is known, or it is too old."""
        found = self._memory.load()
        try:
            if found is None or not isinstance(found["region"], str):
                return None
            return Location(found["region"], "provider", tuple(map(str, found["within"])))
        except (LookupError, TypeError):
            return None

    def keep(self, found: Location) -> None:
        """Keep what the provider said; what is only declared may be declared otherwise tomorrow."""
        if found.source == "provider":
            self._memory.save(asdict(replace(found, why="")))


async def residence(
    storage: StorageBackend, rule: ResidencySettings, remembered: Remembered | None = None
) -> Residence:
    """Find out where a place is, and hold it against the rule.

    Args:
        storage: the place.
        rule: what is allowed.
        remembered: what was said before; None asks the provider in any case.

    Raises:
        PersonaError: the provider does not answer, or there is no such bucket.
    """
    found = remembered.load() if remembered else None
    if found is None:
        found = await storage.location()
        if remembered:
            remembered.keep(found)
    return Residence(storage.url(), rule, found)


async def shown(storage: StorageBackend, rule: ResidencySettings, remembered: Remembered) -> Residence:
    """Return where a place is as far as that is known, for people; without a rule nobody is asked."""
    found = Location(None, "unknown" if storage.address() else "machine")
    if rule.allow:
        try:
            return await residence(storage, rule, remembered)
        except PersonaError as error:
            found = replace(found, why=str(error))
    return Residence(storage.url(), rule, found)
