"""Which respondents belong together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from persona.errors import InputError
from persona.personas.generate.features import Matrix, closed_matrix, text_matrix
from persona.personas.generate.grouping import Grouping, Structure
from persona.personas.generate.words import word_count
from persona.personas.sources.records import Record
from persona.personas.survey.survey import Column

MOST_GROUPS = 8
"""More personas than this nobody remembers; ``--count`` may ask for more."""
LEAST_ANSWERED = 0.25
"""A respondent who answered a smaller share of the questions of their file is in no group."""
LEAST_WORDS = 8
"""A respondent with fewer words and too few answers is in no group."""
TEXT_WEIGHT = 0.6
"""The variance of all free text together, in parts of that of all closed questions."""
_PEAK = 0.85
_SAMPLE = 2000


def group(
    records: Sequence[Record], columns: Sequence[Column], texts: Sequence[str], count: int | None, seed: int
) -> Grouping:
    """Group respondents by what they answer and say.

    Args:
        records: the respondents.
        columns: their closed and open questions.
        texts: all free text of each respondent, "" if there is none.
        count: how many groups; None chooses by silhouette.
        seed: of everything that is drawn by chance.

    Raises:
        InputError: there are not enough respondents who differ.
    """
    closed = [column for column in columns if column.question.closed]
    driving = [column for column in closed if not column.question.about] or ([] if any(texts) else closed)
    answered = _answered(records, driving)
    spoke = [word_count(text) >= LEAST_WORDS for text in texts]
    usable = [i for i in range(len(records)) if answered[i] >= LEAST_ANSWERED or spoke[i]]
    if count is not None and count > len(usable):
        raise InputError(
            f"There cannot be {count} personas: {len(usable)} respondents answered enough to be grouped.",
            hint="Ask for fewer with --count, or leave it out.",
        )
    if not usable:
        raise InputError(
            "No respondent answered enough to be grouped.",
            hint="The input needs questions with differing answers, or some sentences of free text.",
        )
    surveyed = [i for i in usable if answered[i] >= LEAST_ANSWERED]
    if len(surveyed) < max(6, 0.3 * len(usable)):
        surveyed = []
    both = [i for i in usable if answered[i] >= LEAST_ANSWERED or not surveyed]
    only_spoke = sorted(set(usable).difference(both))
    talk = text_matrix([texts[i] for i in usable], seed)
    place = {record: row for row, record in enumerate(usable)}
    blocks = [_talk_of(both, place, talk, len(driving) if surveyed else 0)]
    if surveyed:
        blocks.append(closed_matrix([column.part(both) for column in closed], driving is closed))
    labels = _cluster(np.hstack(blocks), count, seed, len(driving) if surveyed else 0)
    groups = [[both[i] for i in np.flatnonzero(labels == label)] for label in np.unique(labels)]
    lost = _join(groups, only_spoke, place, talk)
    left_out = sorted({*range(len(records))} - {i for members in groups for i in members})
    groups = [sorted(members) for members in groups]
    who = "1 interview was" if len(lost) == 1 else f"{len(lost)} interviews were"
    notes = [f"{who} too unlike the survey to join a group."] if lost else []
    structure = Structure(len(groups) > 1, "exploratory", number=len(groups))
    ordered = sorted(groups, key=lambda members: (-len(members), members))
    return Grouping(ordered, left_out, [], structure, [column.question.name for column in driving], notes)


def _answered(records: Sequence[Record], driving: Sequence[Column]) -> list[float]:
    """Return the share of the questions of their own file that each respondent answered."""
    asked: dict[str, set[str]] = {}
    names = {column.question.name for column in driving}
    for record in records:
        asked.setdefault(record.file, set()).update(names.intersection(record.fields))
    return [
        len(asked[record.file].intersection(record.fields)) / len(asked[record.file]) if asked[record.file] else 0.0
        for record in records
    ]


def _talk_of(rows: Sequence[int], place: dict[int, int], talk: Matrix, questions: int) -> Matrix:
    """Return the topics of some respondents, weighed against the closed questions."""
    part = talk[[place[i] for i in rows]]
    return part * np.sqrt(TEXT_WEIGHT * questions) if questions else part


def _cluster(
    matrix: Matrix, count: int | None, seed: int, questions: int
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return a label for each row, by k-means in the few directions in which respondents differ most."""
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):  # sums in another order would round otherwise
        space = _reduced(matrix, seed, questions)
        different = len(np.unique(space.round(9), axis=0))
        if count is not None and count > different:
            raise InputError(
                f"There cannot be {count} personas: there are only {different} different sets of answers.",
                hint="Ask for fewer with --count, or leave it out.",
            )
        most = min(MOST_GROUPS, 2 * questions) if questions else MOST_GROUPS
        number = count or _number(space, min(most, different - 1), seed)
        return np.asarray(KMeans(number, n_init=20, random_state=seed).fit_predict(space), dtype=np.int64)


def _reduced(matrix: Matrix, seed: int, questions: int) -> Matrix:
    """Return the directions of variance that stand out from the noise of single questions.

    There are two to six of them.
    """
    most = min(matrix.shape[0] - 1, matrix.shape[1], 6)
    if most < 1 or not matrix.any():
        return np.zeros((matrix.shape[0], 1))
    if not questions:  # topics are reduced already
        return matrix
    from sklearn.decomposition import PCA

    model = PCA(most, random_state=seed)
    with np.errstate(invalid="ignore", divide="ignore"):  # respondents who are all the same have no variance
        space = model.fit_transform(matrix)
    level = 1.5 / questions
    kept = int((model.explained_variance_ratio_ >= level).sum())
    return np.asarray(space[:, : max(2, kept)])


def _number(space: Matrix, most: int, seed: int) -> int:
    """Return the number of groups: of the peaks of the silhouette near the highest, the one with most groups.

    Two groups nearly always have the highest silhouette and tell a researcher least. From few questions few
    groups can be told apart: at most two a question.
    """
    from sklearn.cluster import KMeans
    from sklearn.metrics import silhouette_score

    respondents = len(space)
    least = least_group(respondents)
    scores: dict[int, float] = {}
    for number in range(2, min(most, respondents // least) + 1):
        labels = KMeans(number, n_init=10, random_state=seed).fit_predict(space)
        if np.bincount(labels).min() < least:
            continue
        sample = min(_SAMPLE, respondents)
        try:
            scores[number] = float(silhouette_score(space, labels, sample_size=sample, random_state=seed))
        except ValueError:  # the sample met one group only
            continue
    if not scores:
        return 1
    near = {k: s for k, s in scores.items() if s >= _PEAK * max(scores.values())}
    return max(k for k, s in near.items() if s >= scores.get(k - 1, -1.0) and s >= scores.get(k + 1, -1.0))


def least_group(respondents: int) -> int:
    """Return the fewest respondents that make a group of their own."""
    return max(2 if respondents < 12 else 3, round(0.04 * respondents))


def _join(groups: list[list[int]], alone: Sequence[int], place: dict[int, int], talk: Matrix) -> list[int]:
    """Add interviews to the group whose free text is most like theirs, in place.

    Return those that are like none.
    """
    centres = [talk[[place[i] for i in members]].mean(axis=0) for members in groups]
    added: list[tuple[int, int]] = []
    lost = []
    for i in alone:
        likeness = [_cosine(talk[place[i]], centre) for centre in centres]
        best = int(np.argmax(likeness))
        if likeness[best] > 0:
            added.append((best, i))
        else:
            lost.append(i)
    for best, i in added:
        groups[best].append(i)
    return lost


def _cosine(one: Matrix, other: Matrix) -> float:
    length = float(np.linalg.norm(one) * np.linalg.norm(other))
    return float(one @ other) / length if length else 0.0
