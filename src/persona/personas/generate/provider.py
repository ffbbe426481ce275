"""The registry of providers: who makes personas out of records.

A new provider is one more file with a class like `Provider`, and one more line in `PROVIDERS`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Protocol

from persona.errors import InputError, UsageError
from persona.personas.evidence import Proof
from persona.personas.generate.fit import Fit
from persona.personas.generate.grouping import Grouping
from persona.personas.model import Persona
from persona.personas.survey.survey import Survey

PROVIDERS = {"offline": "persona.personas.generate.offline:Offline"}
"""The providers by name, each as ``module:class``; imported when asked for."""


@dataclass(frozen=True)
class Options:
    """What a user may ask of a generation.

    Args:
        count: how many personas; None lets the provider choose.
        seed: of everything drawn by chance.
        name_prefix: what stands before each persona's name.
        by: the question whose answers make the groups, one persona each; "" lets the provider group.
    """

    count: int | None = None
    seed: int = 0
    name_prefix: str = ""
    by: str = ""


@dataclass(frozen=True)
class Generated:
    """What a generation gives.

    Args:
        personas: the largest group first.
        respondents: how many the input has.
        coverage: the share of them who are in a group, from 0 to 1.
        notes: what was left out, and why.
        grouping: who is in which group, and how far that can be trusted.
        fits: how many respondents fit the top statements of each persona, and how sure its shares are.
    """

    personas: Sequence[Persona]
    respondents: int
    coverage: float
    notes: Sequence[str]
    grouping: Grouping
    fits: Sequence[Fit] = ()


class Provider(Protocol):
    """Makes personas."""

    def generate(self, survey: Survey, options: Options) -> Generated:
        """Make personas of a survey.

        Raises:
            InputError: the data cannot give what was asked for.
        """
        ...


def provider(name: str) -> Provider:
    """Return a provider by its name.

    Raises:
        UsageError: there is none of this name.
    """
    if name not in PROVIDERS:
        raise UsageError(f"There is no provider “{name}”.", hint=f"Providers: {', '.join(PROVIDERS)}.")
    module, attribute = PROVIDERS[name].split(":")
    found: Provider = getattr(import_module(module), attribute)()
    return found


def generate(survey: Survey, options: Options, provider_name: str = "offline") -> Generated:
    """Make personas and prove each against its input, whoever made it.

    Raises:
        UsageError: there is no such provider.
        InputError: the data cannot give what was asked for.
        VerificationError: a provider stated what the input does not hold.
    """
    from pydantic import ValidationError

    try:
        generated = provider(provider_name).generate(survey, options)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InputError(
            f"The input makes a persona that cannot be kept: {place}: {first['msg']}.",
            hint="Shorten the questions and answers that are longer than a page.",
        ) from error
    if not generated.personas:
        raise InputError(
            f"No persona can be made of these {generated.respondents:,} respondents: no statement about them meets the "
            "rules.",
            hint="“persona inspect” shows how the input was read; --by makes one persona for each answer to one.",
        )
    proof = Proof(survey)
    for persona in generated.personas:
        proof.check(persona)
    return generated
