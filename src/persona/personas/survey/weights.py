"""Survey weights: used for shares, never stated."""

from __future__ import annotations

import re
from statistics import mean

from persona.personas.survey import scales
from persona.personas.survey.draft import Draft, some
from persona.personas.survey.questions import Kind, Question, Use

_OF = r"(?:survey|sampl(?:e|ing)|post[-_ ]?strat\w*|design|analysis|final|case|person|respondent|calibrat\w*|raking)"
_WORD = r"(?:weight(?:s|ing|vec)?|wgts?|wts?)"
_ELSEWHERE = (
    r"gewicht(?:ung)?|gewichtungsfaktor|poids|facteur de pondération|pond[eé]ra(?:ción|tion)|peso amostral"
    r"|peso campionario|weegfactor|ウェイト|重み"
)
_NAMED = re.compile(
    rf"(?:{_OF}[ _.-]*)?{_WORD}(?:[ _.-]?(?:\d+|all|final|total|norm\w*|trim\w*|factor))?|[a-z]{{1,4}}(?:weight|wght)"
    rf"|wtss\w*|{_ELSEWHERE}",
    re.IGNORECASE,
)
_SURE = re.compile(
    rf"{_OF}[ _.-]*{_WORD}\w*|(?:psp|an|[adp])(?:weight|wght)|wtss\w*|gewichtungsfaktor|facteur de pondération"
    r"|ponderación|peso amostral|peso campionario|weegfactor",
    re.IGNORECASE,
)


def weights(draft: Draft) -> None:
    """Take the survey weight out of the questions: a heading such as ``pspwght``, positive decimals, a mean about 1.

    A heading that can be nothing else may have another mean; the weights are divided by it, so that they count people.
    """
    found = [name for name in draft.open() if _is_weight(draft, name)]
    for name in found:
        draft.decided[name] = Question(name, Kind.WEIGHT, Use.IGNORE, "a survey weight", draft.hint(name).label)
    if not found:
        return
    chosen = next((name for name in found if re.search(r"psp|post|anal|final", name, re.IGNORECASE)), found[0])
    values = [scales.number(str(answer)) if answer is not None else None for answer in draft.columns[chosen]]
    known = [value for value in values if value is not None]
    average = mean(known)
    draft.weights = tuple(1.0 if value is None else value / average for value in values)
    gaps = len(values) - len(known)
    draft.notes.append(
        f"“{chosen}” is read as the survey weight: shares are weighted by it."
        + (f" {gaps:,} respondents have none and count once." if gaps else "")
    )
    if found[1:]:
        others = [name for name in found if name != chosen]
        draft.notes.append(f"Other survey weights are not used: {some(others)}.")


def _is_weight(draft: Draft, name: str) -> bool:
    if not any(_NAMED.fullmatch(text.strip()) for text in (name, draft.wording(name))):
        return False
    counts = draft.counts(name)
    values = [value for answer in counts if (value := scales.number(answer)) is not None]
    if len(values) < max(2, len(counts)) or min(values) < 0:
        return False
    average = sum((scales.number(answer) or 0.0) * count for answer, count in counts.items()) / counts.total()
    decimals = any(value != int(value) for value in values)
    sure = any(_SURE.fullmatch(text.strip()) for text in (name, draft.wording(name)))
    return average > 0 and (sure or (decimals and 0.8 <= average <= 1.25))
