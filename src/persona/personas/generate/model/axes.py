"""Free text as a few numbers: TF-IDF, and the axes along which texts differ most (latent semantic analysis)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from persona.personas.generate.model.items import Matrix

AXES = 12
_LANCZOS_STEPS = 80


@dataclass(frozen=True)
class Sparse:
    """A table with few entries that are not 0, by rows, columns and values, in the order of the rows."""

    rows: NDArray[np.int32]
    columns: NDArray[np.int32]
    values: Matrix
    shape: tuple[int, int]

    def times(self, vector: Matrix) -> Matrix:
        """Return the product with a vector, each sum in the order of the entries."""
        return np.bincount(self.rows, self.values * vector[self.columns], self.shape[0]).astype(np.float64)

    def transposed_times(self, vector: Matrix) -> Matrix:
        """Return the product of the transposed table with a vector."""
        return np.bincount(self.columns, self.values * vector[self.rows], self.shape[1]).astype(np.float64)


@dataclass(frozen=True)
class Words:
    """The words of some texts, one entry for each text and different word in it, by text.

    Args:
        texts: the number of the text of each entry.
        words: the number of its word.
        counts: how often the text has the word.
        size: how many texts there are, with those that say nothing.
        vocabulary: how many different words there are.
    """

    texts: NDArray[np.int32]
    words: NDArray[np.int32]
    counts: NDArray[np.int32]
    size: int
    vocabulary: int

    def take(self, rows: NDArray[np.intp]) -> Words:
        """Return the words of some texts, numbered anew."""
        place = np.full(self.size, -1, dtype=np.int32)
        place[rows] = np.arange(len(rows), dtype=np.int32)
        kept = np.flatnonzero(place[self.texts] >= 0)
        order = kept[np.argsort(place[self.texts[kept]], kind="stable")]
        return Words(place[self.texts[order]], self.words[order], self.counts[order], len(rows), self.vocabulary)

    def shuffled(self, random: np.random.Generator) -> Words:
        """Return texts of the same lengths whose words are dealt out anew: what is left if nobody has a topic."""
        tokens = random.permutation(np.repeat(self.words, self.counts))
        owner = np.repeat(self.texts, self.counts).astype(np.int64)
        keys, counts = np.unique(owner * self.vocabulary + tokens, return_counts=True)
        texts, words = np.divmod(keys, self.vocabulary)
        return Words(
            texts.astype(np.int32), words.astype(np.int32), counts.astype(np.int32), self.size, self.vocabulary
        )


def words_of(texts: Sequence[Sequence[str]]) -> Words:
    """Return the words of texts, each given as its words in their order."""
    numbers: dict[str, int] = {}
    found: list[NDArray[np.int32]] = []
    for text in texts:
        counted = Counter(text)
        entry = np.empty((2, len(counted)), dtype=np.int32)
        entry[0] = [numbers.setdefault(word, len(numbers)) for word in counted]
        entry[1] = list(counted.values())
        found.append(entry)
    entries = np.hstack(found) if found else np.zeros((2, 0), dtype=np.int32)
    owners = np.repeat(np.arange(len(found), dtype=np.int32), [entry.shape[1] for entry in found])
    return Words(owners, entries[0], entries[1], len(found), len(numbers))


def tf_idf(words: Words) -> Sparse:
    """Return the weights of words in texts: (1 + log count) · (1 + log((1 + texts) / (1 + texts with the word))).

    Words that only one text has, and words that more than 60 % of them have, are left out; rows have length 1.
    """
    spoken = len(np.unique(words.texts))
    frequency = np.bincount(words.words, minlength=words.vocabulary)
    most = max(2, round(0.6 * spoken)) if spoken > 5 else spoken
    kept = (frequency >= 2) & (frequency <= most)
    number = np.cumsum(kept, dtype=np.int32) - 1
    entries = kept[words.words]
    rows, columns = words.texts[entries], words.words[entries]
    rarity = np.log((1 + words.size) / (1 + frequency)) + 1
    values = (1 + np.log(words.counts[entries])) * rarity[columns]
    length = np.sqrt(np.bincount(rows, values**2, words.size))
    return Sparse(rows, number[columns].astype(np.int32), values / length[rows], (words.size, int(kept.sum())))


def text_axes(words: Words) -> Matrix:
    """Return texts by 12 axes, of mean 0 over those that say something; the others are all zeros.

    Of few texts or words there are fewer axes; the others are zeros too.
    """
    table = tf_idf(words)
    wanted = min(AXES, table.shape[0] - 1, table.shape[1] - 1)
    space = np.zeros((words.size, AXES))
    if wanted < 2:
        return space
    for axis, direction in enumerate(leading_directions(table, wanted).T):
        space[:, axis] = table.times(direction)
    length = np.sqrt((space**2).sum(axis=1, keepdims=True))
    spoken = length[:, 0] > 1e-9
    space[spoken] /= length[spoken]
    space[~spoken] = 0.0
    if spoken.any():
        space[spoken] -= space[spoken].mean(axis=0)
    return np.asarray(space)


def leading_directions(table: Sparse, wanted: int) -> Matrix:
    """Return the right singular vectors of the largest singular values, as columns.

    By the method of Lanczos with full reorthogonalisation (Golub and Van Loan, Matrix Computations, 10.1), which needs
    the table times a vector only, so that memory does not grow with the square of anything.
    """
    columns = table.shape[1]
    steps = min(_LANCZOS_STEPS, *table.shape)
    basis = np.zeros((steps, columns))
    diagonal, beside = np.zeros(steps), np.zeros(steps)
    vector = table.transposed_times(np.ones(table.shape[0])) + 1e-3
    vector /= np.linalg.norm(vector)
    for step in range(steps):
        basis[step] = vector
        ahead = table.transposed_times(table.times(vector))
        diagonal[step] = vector @ ahead
        for _ in range(2):
            ahead -= basis[: step + 1].T @ (basis[: step + 1] @ ahead)
        beside[step] = np.linalg.norm(ahead)
        if beside[step] < 1e-10:
            steps = step + 1
            break
        vector = ahead / beside[step]
    small = np.diag(diagonal[:steps]) + np.diag(beside[: steps - 1], 1) + np.diag(beside[: steps - 1], -1)
    _, vectors = np.linalg.eigh(small)
    found = basis[:steps].T @ vectors[:, ::-1][:, :wanted]
    return np.asarray(found * np.where(found[np.abs(found).argmax(axis=0), range(found.shape[1])] < 0, -1.0, 1.0))
