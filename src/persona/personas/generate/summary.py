"""The summary of a persona: a few sentences, every number in them out of its counts."""

from __future__ import annotations

from collections.abc import Sequence

from persona.personas.generate.grouping import Standing
from persona.personas.model import Count, Distribution, Statement, percent

MARKS: dict[Standing, str] = {"exploratory": "(exploratory)", "constructed": "(constructed)"}
"""What a title says of groups that do not stand by themselves."""
_STANDING: dict[Standing, str] = {
    "exploratory": "Exploratory: other samples of such people may give other groups.",
    "constructed": "Constructed: this number of groups was asked for; the answers alone do not give it.",
    "none": "No groups were found, so this is a profile of everybody.",
}
_ONE_GROUP = "Exploratory: too few people to look for groups; others may say other things."


def summary(
    name: str,
    respondents: Count,
    statements: Sequence[Statement],
    about: Sequence[Distribution],
    standing: Standing,
    *,
    alone: bool,
) -> str:
    """Return a few sentences about a group.

    Args:
        name: the persona's name.
        respondents: how many it stands for.
        statements: what is said of it, the most telling first.
        about: who its respondents are.
        standing: how far the groups can be trusted.
        alone: whether there is no other group.
    """
    count, total, share = respondents.count, respondents.total, percent(respondents.share)
    parts = [f"{name} stands for {count:,} of {total:,} respondents ({share})."]
    parts += [_ONE_GROUP if alone and standing == "exploratory" else _STANDING.get(standing, "")]
    distinct = [each for each in statements if each.kind != "shared"][:3]
    shared = [each for each in statements if each.kind == "shared"][:3]
    if distinct:
        parts.append("What sets this group apart: " + "; ".join(map(_against, distinct)) + ".")
    elif shared:
        lead = "What most of them say" if alone else "As most of the rest do"
        parts.append(f"{lead}: " + "; ".join(f"{each.text} ({percent(each.group.share)})" for each in shared) + ".")
    different = (
        []
        if alone
        else [
            f"{of.label}: {each.text} ({percent(each.group.share)} against {percent(each.rest.share)})"
            for of in about
            for each in of.shares
            if each.differs == "more"
        ]
    )
    if different:
        parts.append("More often than the rest: " + "; ".join(different[:3]) + ".")
    return " ".join(filter(None, parts))


def _against(statement: Statement) -> str:
    group, rest = percent(statement.group.share), percent(statement.rest.share)
    return f"{statement.text} ({group} against {rest} of the rest)"
