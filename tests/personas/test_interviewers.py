"""Who of all who speak in an input is an interviewer: inputs of many shapes, made by a few words on each."""

from __future__ import annotations

import random

import pytest

from persona.personas.sources import roles
from persona.personas.sources.interviewers import is_asking
from persona.personas.sources.read import read_files
from persona.personas.sources.records import Dataset

WORDS = [
    "app",
    "bill",
    "chart",
    "alert",
    "heating",
    "morning",
    "evening",
    "money",
    "landlord",
    "meter",
    "export",
    "battery",
    "summer",
    "winter",
]
ASKED = ("How often do you look at the app?", "What happens then?", "Can you say more?", "And why is that?")
SPOKEN = ("Tell me about your morning", "walk me through the last time", "so what do you do with the chart")
ASIDES = ("Right.", "That is interesting.", "I see what you mean there.", "Thanks for that.")


def say(draw: random.Random, words: int = 25) -> str:
    return " ".join(["I", *draw.choices(WORDS, k=words)]) + "."


def interview(
    hosts: list[str],
    guests: list[str],
    *,
    seed: int,
    asks: tuple[str, ...] = ASKED,
    share: float = 0.7,
    turns: int = 30,
) -> bytes:
    """Return an interview in which hosts ask in a share of their turns, and guests answer, seldom with a question."""
    draw = random.Random(seed)
    lines = []
    for n in range(turns):
        asked = draw.random() < share
        lines.append(f"{hosts[n % len(hosts)]}: {draw.choice(asks) if asked else draw.choice(ASIDES)}")
        said = "Isn't it?" if draw.random() < 0.05 else say(draw)
        lines.append(f"{guests[n % len(guests)]}: {said}")
    return "\n\n".join(lines).encode()


def ids(dataset: Dataset) -> set[str]:
    return {record.id for record in dataset.records}


GUESTS = ["Ana Ruiz", "Ben Okafor", "Chiara Neri", "Dr. Dina Haddad", "José-Luis M.", "P. O'Neil", "山田 花子", "Eve2"]


@pytest.mark.parametrize(
    ("hosts", "options"),
    [
        (["Interviewer"], {}),
        (["Moderator"], {"share": 0.1}),
        (["Dana Fox"], {}),
        (["Dana Fox"], {"share": 0.0}),
        (["Dana Fox"], {"asks": SPOKEN}),
        (["Dana Fox", "Mike Li"], {"share": 0.4}),
        (["Dana Fox", "Mike Li", "Sue"], {"share": 0.3}),
        (["Dana Fox (Acme)"], {"share": 0.5}),
    ],
)
def test_hosts_of_several_files_are_told(hosts: list[str], options: dict[str, object]) -> None:
    files = [(f"{n}.txt", interview(hosts, [guest], seed=n, **options)) for n, guest in enumerate(GUESTS)]  # type: ignore[arg-type]
    dataset = read_files(files)
    assert ids(dataset) == set(GUESTS)
    assert any(note.startswith("Interviewers, not respondents") for note in dataset.notes)
    assert all(guest in dataset.speakers for guest in GUESTS)


@pytest.mark.parametrize(
    ("hosts", "guests", "options"),
    [
        (["Dana"], ["Ana"], {}),
        (["Dana"], ["Ana"], {"asks": SPOKEN}),
        (["Dana"], ["Ana"], {"share": 0.3}),
        (["Speaker 1"], ["Speaker 2"], {}),
        (["Dana", "Mike"], ["Ana"], {"share": 0.6}),
        (["Dana"], ["Ana", "Ben"], {}),
        (["Dana"], ["Ana", "Ben", "Cem", "Dee", "Eli"], {}),
        (["Moderator"], ["P1", "P2", "P3", "P4"], {"share": 0.2}),
        (["I"], ["A"], {}),
        (["Q"], ["Ana Ruiz"], {"share": 0.0}),
        (["Researcher"], ["Participant"], {"share": 0.0}),
    ],
)
def test_the_interviewer_of_one_file_is_told(hosts: list[str], guests: list[str], options: dict[str, object]) -> None:
    dataset = read_files([("one.txt", interview(hosts, guests, seed=5, **options))])  # type: ignore[arg-type]
    assert ids(dataset) == set(guests)


@pytest.mark.parametrize(
    ("asks", "answers"),
    [
        ("Befragerin", "Teilnehmer 4"), ("Gesprächsleitung", "TN2"), ("Enquêtrice", "Enquêté"), ("Animateur", "Luc"),
        ("Entrevistadora", "Entrevistado"), ("Moderadora", "Pilar"), ("Intervistatrice", "Intervistato"),
        ("Moderatore", "Gia"), ("Entrevistador", "Rui"), ("Pesquisadora", "Participante 1"),
        ("Gespreksleider", "Joost"),
        ("Onderzoeker", "Deelnemer"), ("インタビュアー", "田中"), ("聞き手", "参加者1"), ("司会", "山田"),
        ("INTERVIEWER 2", "R"), ("Interviewer Dana", "Kim"), ("Dana Fox (Moderator)", "Kim"), ("UX Researcher", "User"),
    ],
)  # fmt: skip
def test_interviewers_are_labelled_in_many_languages(asks: str, answers: str) -> None:
    colon = "：" if asks[0] > "\u3000" else ": "
    text = "".join(f"{asks}{colon}ja.\n{answers}{colon}{say(random.Random(n))}\n" for n in range(3))
    dataset = read_files([("one.txt", text.encode())])
    assert ids(dataset) == {answers}
    assert f"Interviewers, not respondents (by the label): {asks}." in dataset.notes


def test_a_person_in_two_files_is_one_and_a_number_is_another_in_each() -> None:
    first, second = (interview(["Interviewer"], ["Ana Ruiz", "P1"], seed=n) for n in (1, 2))
    dataset = read_files([("a.txt", first), ("b.txt", second)])
    assert [record.key for record in dataset.records] == [("a.txt", "Ana Ruiz"), ("a.txt", "P1"), ("b.txt", "P1")]
    ana = dataset.records[0]
    assert ana.keys == {("a.txt", "Ana Ruiz"), ("b.txt", "Ana Ruiz")}
    later = next(said for said in ana.passages if said.file == "b.txt")
    assert later.text in second.decode() and later.text in ana.texts(later.field, "b.txt")
    assert ana.source(later.field, later.text) == "b.txt"
    assert "Ana Ruiz is taken for one person in 2 files: a.txt, b.txt." in dataset.notes
    assert "Taken for another person in each file: P1." in dataset.notes


def test_two_sessions_with_each_participant_leave_the_participants() -> None:
    files = [
        (f"{guest} {n}.txt", interview(["Dana Fox"], [guest], seed=n))
        for guest in ("Ana", "Bea", "Cem")
        for n in (1, 2)
    ]
    dataset = read_files(files)
    assert ids(dataset) == {"Ana", "Bea", "Cem"}
    assert len(dataset.records) == 3


def test_a_panel_that_meets_twice_stays_a_panel() -> None:
    files = [(f"{n}.txt", interview(["Dana"], ["Ana", "Ben", "Cem"], seed=n, share=0.8)) for n in (1, 2)]
    assert ids(read_files(files)) == {"Ana", "Ben", "Cem"}


def test_a_header_names_the_interviewer_and_describes_the_respondent() -> None:
    talk = interview(["DF"], ["AR"], seed=3, share=0.0).decode()
    head = (
        "Date: 2024-05-01\nInterviewer: Dana Fox\nParticipant: Ana Ruiz\nAge: 34\nRole: Head of a small care home\n\n"
    )
    (record,) = read_files([("a.txt", (head + talk).encode())]).records
    assert record.id == "AR"
    assert dict(record.fields) == {
        "Date": "2024-05-01",
        "Participant": "Ana Ruiz",
        "Age": "34",
        "Role": "Head of a small care home",
    }


def test_who_is_no_respondent_is_left_out_and_counted() -> None:
    talk = interview(["Interviewer"], ["Ana", "Ben"], seed=4).decode()
    text = (
        "Interviewer: Welcome.\n\nBreak: ten minutes\n\n[Laughter]: ha\n\n"
        "Narrator: The story begins on a cold morning.\n\n"
        "Tech Support: Your microphone is off.\n\n"
        + talk
        + "\n\n[crosstalk]\n\nNote: check the tape\n\nAna: 10:30 is late"
    )
    dataset = read_files([("a.txt", text.encode())])
    assert ids(dataset) == {"Ana", "Ben"}
    assert dict(dataset.left_out) == {"speakers of under 30 words": 1, "labels of no person": 4}
    notes = "\n".join(dataset.notes)
    assert "Said under 30 words, and left out: Tech Support." in notes
    assert "Labels of no person, whose text is left out: Break, Laughter, Narrator, Note." in notes
    said = " ".join(passage.text for record in dataset.records for passage in record.passages)
    assert "10:30 is late" in said and "tape" not in said and "story" not in said and "crosstalk" not in said
    assert "Break" not in dataset.speakers and "Ana" in dataset.speakers


@pytest.mark.parametrize(
    "label",
    ["Ana", "P-3", "P3", "Dr. Ana Ruiz", "Ana Maria de la Cruz", "Mireille B. Reece, Psy.D", "J.P.", "O'Neil", "田中"],
)
def test_names_are_speakers(label: str) -> None:
    text = f"Interviewer: Why?\n{label}: Because it is late.\nInterviewer: And?\n{label}: I go home.\n"
    assert ids(read_files([("a.txt", text.encode())])) == {label}


@pytest.mark.parametrize("label", ["Q1", "10:30", "https", "Note", "Time", "Transcript", "Frage 2"])
def test_other_labels_are_none(label: str) -> None:
    line = f"{label}://example.org/x\n" if label == "https" else f"{label}: one two three\n"
    text = f"Interviewer: Why?\nAna: Because it is late.\n{line}Interviewer: And?\nAna: I go home.\n{line}"
    dataset = read_files([("a.txt", text.encode())])
    assert ids(dataset) == {"Ana"} and dataset.speakers == {"Ana"}


@pytest.mark.parametrize(("asks", "more"), [("Interviewer", "And so on."), ("Dana", "")])
def test_one_long_answer_is_a_turn(asks: str, more: str) -> None:
    text = f"{asks}: Tell me about it?\n\nAna Ruiz: {say(random.Random(1), 60)}\n\n{more}\n"
    (record,) = read_files([("kim.txt", text.encode())]).records
    assert record.id == "Ana Ruiz" and record.passages[0].text.endswith(more or ".")


def test_numbered_questions_and_answers_are_one_respondent() -> None:
    text = "".join(f"Q{n}: {asked}\nA{n}: It is late.\n\n" for n, asked in enumerate(ASKED, start=1))
    (record,) = read_files([("Kim.txt", text.encode())]).records
    assert record.id == "Kim"
    assert [passage.field for passage in record.passages] == [*ASKED]


def test_questions_alone_have_a_label() -> None:
    text = "".join(f"**Interviewer:** {asked}\n\nIt is late, and I go home.\n\nBy bus.\n\n" for asked in ASKED)
    (record,) = read_files([("kim.md", text.encode())]).records
    assert record.id == "kim"
    assert [passage.field for passage in record.passages] == [*ASKED]
    assert record.passages[0].text == "It is late, and I go home. By bus."


def test_a_sentence_over_captions_is_one_and_rolling_captions_are_read_once() -> None:
    said = [
        "I look at the chart",
        "before breakfast, and then",
        "I turn the heating down.",
        "It is cold.",
        "Then I go.",
    ]
    cue = "00:00:0{}.000 --> 00:00:0{}.000\n"
    split = "".join(cue.format(n, n + 1) + f"<v Ana>{text}</v>\n\n" for n, text in enumerate(said))
    rolling = "".join(
        cue.format(n, n + 1) + "\n".join(f"<c>{text}</c>" for text in said[max(0, n - 1) : n + 1]) + "\n\n"
        for n in range(len(said))
    )
    growing = "".join(cue.format(n, n + 1) + "Ana: " + " ".join(said[: n + 1]) + "\n\n" for n in range(len(said)))
    for text in (split, rolling, growing):
        (record,) = read_files([("a.vtt", ("WEBVTT\n\n" + text).encode())]).records
        assert [passage.text for passage in record.passages] == [" ".join(said)]


def test_two_people_who_say_the_same_both_say_it() -> None:
    cues = "".join(f"00:0{n}.000 --> 00:0{n}.900\n<v {'Ana' if n % 2 else 'Kim'}>It is late.</v>\n\n" for n in range(6))
    dataset = read_files([("a.vtt", f"WEBVTT\n\n{cues}".encode())])
    assert [(record.id, len(record.passages)) for record in dataset.records] == [("Kim", 3), ("Ana", 3)]


def test_what_nobody_is_known_to_say_is_left_out() -> None:
    cue = "00:01.000 --> 00:02.000\n"
    text = f"WEBVTT\n\n{cue}<v Kim>Why?</v> <v Ana>It is late.</v>\n\n{cue}unclear words\n\n{cue}<v>more</v>\n\n"
    dataset = read_files([("a.vtt", text.encode())])
    assert [passage.text for record in dataset.records for passage in record.passages if record.id == "Ana"] == [
        "It is late."
    ]
    assert dataset.left_out["labels of no person"] == 1
    assert f"Labels of no person, whose text is left out: {roles.UNKNOWN}." in dataset.notes


@pytest.mark.parametrize(
    ("said", "asks"),
    [
        ("How was it?", True), ("And then? I mean, in the end.", True), ("tell me about the app", True),
        ("okay so what do you do next", True), ("普段はどのように使いますか。", True), ("Cuénteme de su día", True),
        ("Wie oft nutzen Sie die App", True), ("What I do is look at it.", False), ("I do. It is late.", False),
        ("When I come home I cook.", False), ("そうですね。毎朝見ます。", False), ("How nice.", False),
    ],
)  # fmt: skip
def test_asking_is_told_with_and_without_marks(said: str, asks: bool) -> None:
    assert is_asking(said) is asks


def test_lines_of_many_people_take_no_time_by_their_square() -> None:
    lines = [f"P{n}: hello there" for n in range(30_000)]
    assert len(read_files([("a.txt", "\n".join(lines).encode())]).records) == 30_000
