"""Tables whose groups are known: drawn from a model that is written here, with what that model itself would assign."""

from __future__ import annotations

import csv
import gzip
import html
import io
import json
import re
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.intp]
SERVICES = ("polly", "route53", "athena", "cognito-idp")
"""Four sources of sentences that nobody of this project wrote: the documentation of four services, in botocore."""


@dataclass(frozen=True)
class Planted:
    """A table as a file, the group of each respondent, and the one that the model which drew them would assign."""

    content: bytes
    truth: Labels
    ideal: Labels


def table(rows: list[list[str]], heading: list[str]) -> bytes:
    """Return a table as CSV, with an id a row."""
    stream = io.StringIO(newline="")
    writer = csv.writer(stream)
    writer.writerow(["id", *heading])
    writer.writerows([f"R{number}", *row] for number, row in enumerate(rows, 1))
    return stream.getvalue().encode()


def nothing(seed: int) -> bytes:
    """Return answers that have nothing to do with one another: choices, scales, numbers, several, with gaps."""
    random = np.random.default_rng(seed)
    size, questions = int(random.choice([40, 100, 300, 800])), int(random.integers(4, 21))
    columns = []
    for question in range(questions):
        kind = (seed + question * (seed % 3)) % 4
        if kind == 3:
            values = [f"{value:.1f}" for value in random.lognormal(3, 1, size)]
        elif kind == 2:
            ticked = random.random((size, 5)) < random.random(5) * 0.7
            values = ["; ".join(f"Option {o}" for o in np.flatnonzero(row)) or "None of these" for row in ticked]
        else:
            steps = random.choice(5, size, p=random.dirichlet(np.full(5, 2.0)))
            values = [str(step + 1) if kind else "ABCDE"[step] for step in steps]
        columns.append(["" if gap else value for value, gap in zip(values, random.random(size) < 0.08, strict=True)])
    return table([list(row) for row in zip(*columns, strict=True)], [f"Item {q}" for q in range(questions)])


def classes(seed: int, groups: int = 4, size: int = 200) -> Planted:
    """Return 24 questions of four answers, of which 12 tell the groups apart; 40 % of all answers are random."""
    random = np.random.default_rng([1, seed])
    truth = random.integers(0, groups, size)
    liked = np.array([random.permutation(4)[:groups] for _ in range(12)])
    answers = random.integers(0, 4, (size, 24))
    typical = random.random((size, 12)) < 0.6
    answers[:, :12][typical] = liked[:, truth].T[typical]
    chance = np.where(answers[:, None, :12] == liked.T[None], 0.6 + 0.4 / 4, 0.4 / 4)
    rows = [["ABCD"[answer] for answer in row] for row in answers]
    return Planted(table(rows, [f"Item {q}" for q in range(24)]), truth, np.log(chance).sum(axis=2).argmax(axis=1))


def agreement(seed: int, groups: int = 3, size: int = 200, yes_saying: float = 0.7) -> Planted:
    """Return 20 items on a scale of 1 to 5, to all of which a respondent agrees more or less than their group does."""
    random = np.random.default_rng([2, seed])
    truth = random.integers(0, groups, size)
    mean = 3 + random.choice([-1.0, 0.0, 1.0], (groups, 20))
    own = random.normal(0, yes_saying, size)
    answers = np.clip(np.rint(mean[truth] + own[:, None] + random.normal(0, 0.8, (size, 20))), 1, 5).astype(int)
    likelihood = np.zeros((size, groups))
    for quantile in (np.arange(40) + 0.5) / 40:  # over what a respondent's own level may be
        shift = NormalDist(0, yes_saying).inv_cdf(quantile)
        likelihood += np.exp(_log_chance(answers, mean + shift, 0.8)) / 40
    rows = [[str(answer) for answer in row] for row in answers]
    return Planted(table(rows, [f"Statement {q}" for q in range(20)]), truth, likelihood.argmax(axis=1))


def _log_chance(answers: NDArray[np.int64], mean: NDArray[np.float64], noise: float) -> NDArray[np.float64]:
    """Return the log-likelihood of answers on a scale of 1 to 5 in each group."""
    normal = NormalDist()
    edges = [-np.inf, 1.5, 2.5, 3.5, 4.5, np.inf]
    below = np.vectorize(lambda x: normal.cdf(x) if np.isfinite(x) else float(x > 0))
    chance = np.diff([below((edge - mean) / noise) for edge in edges], axis=0).clip(1e-12)
    return np.asarray(np.log(chance[answers - 1, :, np.arange(20)]).sum(axis=1))


def sentences(seed: int, size: int = 150, each: int = 5) -> Planted:
    """Return respondents who say a few sentences of one of four sources."""
    random = np.random.default_rng([3, seed])
    truth = random.integers(0, len(SERVICES), size)
    said = []
    for group in truth:
        source = _documentation(SERVICES[group])
        said.append([" ".join(source[i] for i in random.choice(len(source), each, replace=False))])
    return Planted(table(said, ["What do you think?"]), truth, truth)


@lru_cache(maxsize=8)
def _documentation(service: str) -> list[str]:
    """Return the different sentences of a service's documentation, of 8 to 40 words."""
    spec = find_spec("botocore")
    assert spec is not None and spec.submodule_search_locations
    folder = Path(spec.submodule_search_locations[0]) / "data" / service
    path = sorted(folder.glob("*/service-2.json*"))[-1]
    content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    found: dict[str, None] = {}
    _collect(json.loads(content), found)
    return list(found)


def _collect(node: object, found: dict[str, None]) -> None:
    if isinstance(node, dict):
        if isinstance(text := node.get("documentation"), str):
            plain = " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).split())
            found.update(dict.fromkeys(s for s in re.split(r"(?<=[.!?]) ", plain) if 8 <= len(s.split()) <= 40))
        for value in node.values():
            _collect(value, found)
