"""Numbers with a decimal comma."""

from __future__ import annotations

import re

from persona.personas.survey import scales
from persona.personas.survey.draft import Draft

_SURELY = re.compile(
    r"[^\d,.]*\d{1,3}(?:\.\d{3})+,\d+\D*|[^\d,.]*\d+,(?:\d{1,2}|\d{4,})\D*|[^\d,.]*(?:0|\d{4,}),\d+\D*"
)
_EITHER = re.compile(r"([-+−]?\d{1,3})([.,]\d{3})+")


def decimal_commas(draft: Draft) -> None:
    """Read ``2,375`` as 2.375 and ``1.250`` as 1250 in a column whose other numbers have decimal commas.

    Each of the two could be the other, so these cells are written anew; all others stay as they are.
    """
    for name in draft.open():
        counts = draft.counts(name)
        if not any(_SURELY.fullmatch(answer) for answer in counts):
            continue
        if any(scales.number(answer) is None for answer in counts):
            continue
        doubtful = [answer for answer in counts if _EITHER.fullmatch(answer) and answer.count(",") <= 1]
        draft.rewrite(name, {answer: answer.replace(".", "").replace(",", ".") for answer in doubtful})
        again = f" ({len(doubtful):,} that could be thousands too are written with a point)" if doubtful else ""
        draft.notes.append(f"“{name}”: numbers with decimal commas{again}.")
