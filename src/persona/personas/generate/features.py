"""Answers as numbers: what the grouping of respondents is computed from.

Each question is a block of columns with mean 0, so that a gap is 0: no opinion in any direction. A block's
variance is its weight. What people do and think weighs fully, who they are (age, income, …) little: it is to
describe a group, not to make it. What they say in their own words weighs, all in all, a little less than the
questions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from persona.personas.sources.records import parts
from persona.personas.survey import scales
from persona.personas.survey.questions import Kind
from persona.personas.survey.survey import Column

Matrix = NDArray[np.float64]

DEMOGRAPHIC_WEIGHT = 0.1
"""The variance of a question about the respondent; that of any other is 1."""
_RARE = 0.02
_LEAST_DEVIATION = 0.3
_TOPICS = 12


def closed_matrix(columns: Sequence[Column], only_demographics: bool) -> Matrix:
    """Return the answers to closed questions as a matrix, respondents by features.

    Args:
        columns: the closed questions.
        only_demographics: there is nothing else, so these weigh fully.
    """
    blocks = [
        _block(column) * (DEMOGRAPHIC_WEIGHT**0.5 if column.question.about and not only_demographics else 1.0)
        for column in columns
    ]
    return np.hstack(blocks) if blocks else np.zeros((0, 0))


def _block(column: Column) -> Matrix:
    """Return one question as columns of mean 0 and a variance of at most 1 in all."""
    ordered = column.question.kind in (Kind.SCALE, Kind.NUMBER)
    raw = _ranks(column) if ordered else _indicators(column)
    given = np.array([answer is not None for answer in column.answers])
    if not given.any():
        return np.zeros((len(given), 1))
    centred = np.where(given[:, None], raw - raw[given].mean(axis=0), 0.0)
    deviation = float(np.sqrt((centred[given] ** 2).sum(axis=1).mean()))
    # A question that nearly all answer alike would single out the few others: it gets less than full weight.
    return np.asarray(centred / max(deviation, _LEAST_DEVIATION), dtype=np.float64)


def _ranks(column: Column) -> Matrix:
    """Return places on a scale from 0 to 1.

    They are the steps of a scale, or the share of respondents with a lower number.
    """
    if column.question.kind is Kind.SCALE:
        steps = {
            answer: index / max(1, len(column.question.categories) - 1)
            for index, answer in enumerate(column.question.categories)
        }
        return np.array([[steps.get(str(answer), 0.5)] for answer in column.answers])
    values = [scales.number(str(answer)) if answer is not None else None for answer in column.answers]
    known = np.sort(np.array([value for value in values if value is not None]))
    places = [0.5 if value is None else float(np.searchsorted(known, value, "right")) / len(known) for value in values]
    return np.array(places)[:, None]


def _indicators(column: Column) -> Matrix:
    """Return a column for each choice that is not rare."""
    cells = [set() if answer is None else set(parts(answer)) for answer in column.answers]
    counts = Counter(choice for cell in cells for choice in cell)
    least = max(2, _RARE * sum(bool(cell) for cell in cells))
    chosen = [choice for choice in column.question.categories if counts[choice] >= least] or list(
        column.question.categories[:1]
    )
    return np.array([[float(choice in cell) for choice in chosen] for cell in cells])


def text_matrix(texts: Sequence[str], seed: int) -> Matrix:
    """Return what respondents say in their own words, respondents by topics; a silent one is all zeros.

    TF-IDF over words and pairs of words, reduced to topics by a singular value decomposition.
    """
    weights = tf_idf(texts)
    if weights is None:
        return np.zeros((len(texts), 0))
    topics = min(_TOPICS, weights.shape[0] - 1, weights.shape[1] - 1)
    if topics < 2:
        return np.asarray(weights.toarray(), dtype=np.float64)
    from sklearn.decomposition import TruncatedSVD
    from sklearn.preprocessing import normalize

    with np.errstate(invalid="ignore", divide="ignore"):  # texts that are all the same do not vary
        reduced = TruncatedSVD(topics, algorithm="arpack", random_state=seed).fit_transform(weights)
    rows: Matrix = normalize(reduced)
    spoken = np.abs(rows).sum(axis=1) > 0
    rows[spoken] -= rows[spoken].mean(axis=0)
    deviation = float(np.sqrt((rows[spoken] ** 2).sum(axis=1).mean())) if spoken.any() else 0.0
    return rows / deviation if deviation > 0 else rows


def tf_idf(texts: Sequence[str]) -> Any:
    """Return the TF-IDF matrix of texts (scipy sparse), or None if no word is shared by two of them."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    spoken = sum(bool(text) for text in texts)
    if spoken < 2:
        return None
    vectorizer = TfidfVectorizer(
        analyzer=stems, sublinear_tf=True, min_df=2, max_df=max(2, round(0.6 * spoken)) if spoken > 5 else 1.0
    )
    try:
        return vectorizer.fit_transform(texts)
    except ValueError:  # nothing is left of the vocabulary
        return None


def stems(text: str) -> list[str]:
    """Return the stems of a text's content words, with repetitions, in their order."""
    from persona.personas.generate.words import content_words, stem

    return [stem(word) for word in content_words(text)]
