"""Names for personas, and the ids made of them."""

from __future__ import annotations

import random
import re
import unicodedata

# Names that say nothing about gender or age, since a group is of several.
_NAMES = """
    Addison Alex Angel Ari Ash Aubrey Avery Bailey Blair Bobbie Brook Cameron Casey Charlie Chris Corey
    Dale Dana Darcy Devon Drew Eden Eli Ellis Emerson Evan Finley Frances Francis Gale Glenn Harley
    Harper Hayden Indigo Jackie Jamie Jess Jo Jordan Jules Kai Kelly Kendall Kerry Kim Kit Lane Lee
    Leslie Logan Lou Lynn Marley Max Mel Mickey Morgan Nat Nico Nicky Noor Ollie Parker Pat Peyton
    Phoenix Quinn Reese Remy Ricky Riley River Robin Ronnie Rory Rowan Sacha Sage Sam Sandy Sasha Shannon
    Shay Sid Skye Stevie Sydney Tatum Taylor Terry Toby Tyler Val Wren Yuri
""".split()  # noqa: SIM905 - a list literal of this length cannot be read


def names(count: int, seed: int, prefix: str) -> list[str]:
    """Return different names, drawn by the seed from a fixed list; past its end they are numbered.

    Args:
        count: how many.
        seed: the same seed gives the same names.
        prefix: what stands before each, as “Traveller”.
    """
    drawn = random.Random(seed).sample(_NAMES, len(_NAMES))  # noqa: S311 - names are no secret
    chosen = [drawn[i % len(drawn)] + (f" {i // len(drawn) + 1}" if i >= len(drawn) else "") for i in range(count)]
    front = " ".join(prefix.split())
    if not front:
        return chosen
    return [f"{front}{name}" if front.endswith(("-", "_")) else f"{front} {name}" for name in chosen]


def slug(text: str) -> str:
    """Return a text as an id: lower-case ASCII words joined by hyphens; “persona” if nothing is left."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii").lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:80].strip("-") or "persona"


def unique_ids(titles: list[str]) -> list[str]:
    """Return an id for each name; equal ones are numbered."""
    taken: list[str] = []
    for title in titles:
        base = slug(title)
        found, number = base, 1
        while found in taken:
            number += 1
            found = f"{base}-{number}"
        taken.append(found)
    return taken
