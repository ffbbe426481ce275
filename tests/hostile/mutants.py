"""Commands run on mutated files, many in one process: ``python -m tests.hostile.mutants WHAT COUNT SEED FOLDER``.

WHAT is ``config`` or ``input``. Each case changes one file of a small project at random places, by bytes and by tokens
that parsers stumble over, runs a command that reads it, and puts the file back. The command must end with an exit code
of the contract, in time, and without a traceback. What was shown is one line of JSON on stdout.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from persona.cli import app

CONTRACT = {0, 1, 2, 3, 4, 5, 6, 7, 8, 130}
SECONDS = 20
"""How long one command may take."""

CONFIG = """\
storage:
  backend: local
  s3: {bucket: b, endpoint_url: "http://127.0.0.1:9", access_key_id: a, secret_access_key: b, region: us-east-1}
  local:
    path: data
  cache: {enabled: true, path: kept, max_size: 1GB, ttl: 1h, strategy: lru}
  offline: {writes: outbox}
  performance: {retry_attempts: 0, retry_delay: 1s, chunk_size: 5MB}
"""
AWAY = ("--config", "away.yaml")
INPUTS = {
    "survey.csv": "id,age,q,r\n"
    + "".join(f"P{i},{20 + i},{'yes' if i % 2 else 'no'},The bus is late\n" for i in range(9)),
    "survey.json": json.dumps(
        [{"id": f"P{i}", "q": i % 2, "deep": {"x": [1, "a"]}, "t": "I like it"} for i in range(6)]
    ),
    "survey.jsonl": "".join(json.dumps({"id": i, "q": "yes", "said": "Trains are dear."}) + "\n" for i in range(6)),
    "talk.md": "# Talk\nAge: 34\n\n**Interviewer:** Why?\n**P1:** Cheap.\n[00:01:12] Interviewer: And?\nP1: Yes\n",
}
TOKENS = [
    *(
        b"\0",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"\x1b[2J",
        b"\x85",
        b"\xe2\x80\xae",
        b"\xed\xa0\x80",
        b"\r",
        b"\n",
        b"\t",
        b"\n\n",
    ),
    *(
        b'"',
        b"'",
        b",",
        b";",
        b":",
        b": ",
        b"- ",
        b"? ",
        b"{",
        b"}",
        b"[",
        b"]",
        b"|\n",
        b">\n",
        b"#",
        b"%",
        b"@",
        b"`",
    ),
    *(b"!!python/object:os.system ", b"!!binary x", b"!!int ", b"!!int _", b"!!bool x", b"!!float .", b"!!timestamp x"),
    *(
        b"!!set ",
        b"!!omap ",
        b"!!pairs ",
        b"!!null x",
        b"&a ",
        b"*a",
        b"<<: ",
        b"---\n",
        b"...\n",
        b"%YAML 9.9\n",
        b"~",
        b"=",
    ),
    *(
        b"NaN",
        b".inf",
        b"-.inf",
        b"Infinity",
        b"1e999",
        b"-1",
        b"0x" + b"f" * 9000,
        b"9" * 5000,
        b"0o8",
        b"1:2:3",
        b"null",
    ),
    *(b"true", b"2001-99-99", b"0001-01-01T00:00:00+14:00", b"[" * 1500, b"{" * 1500, b"- " * 300, b"a" * 140_000),
    *(
        b"../../etc/passwd",
        b"x" * 1100,
        b"http://[::1",
        b"http://a:b@c:99999",
        b"file:///",
        b"~root/x",
        b"99999999999TB",
    ),
    *("＝".encode(), "é".encode(), b"\xcc\x81", "ß".encode(), "\u2028".encode(), "🙂".encode()),
]
EDITS = st.lists(
    st.tuples(
        st.sampled_from(["insert", "replace", "delete", "double", "cut", "flip"]),
        st.floats(0, 1),
        st.one_of(st.sampled_from(TOKENS), st.binary(min_size=1, max_size=6)),
    ),
    min_size=1,
    max_size=4,
)


def mutated(data: bytes, edits: Sequence[tuple[str, float, bytes]]) -> bytes:
    """Return bytes with some edits."""
    for kind, place, token in edits:
        at = round(place * len(data))
        if kind == "insert":
            data = data[:at] + token + data[at:]
        elif kind == "replace":
            data = data[:at] + token + data[at + len(token) :]
        elif kind == "delete":
            data = data[:at] + data[at + len(token) * 4 :]
        elif kind == "double":
            data = data[:at] + data[at : at + 400] * 3 + data[at + 400 :]
        elif kind == "cut":
            data = data[:at]
        elif at < len(data):
            data = data[:at] + bytes([data[at] ^ token[0]]) + data[at + 1 :]
    return data


class Project:
    """A small project with everything that a command reads: made by the commands themselves.

    Args:
        folder: where; the current folder from then on.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        os.chdir(folder)
        os.environ |= {"PERSONA_HOME": str(folder / "home"), "HOME": str(folder), "AWS_EC2_METADATA_DISABLED": "true"}
        Path("persona.yaml").write_text(CONFIG, "utf-8")
        Path("away.yaml").write_text(CONFIG.replace("backend: local", "backend: s3"), "utf-8")
        for name, text in INPUTS.items():
            Path(name).write_text(text, "utf-8")
        made = [
            run("generate", "survey.csv")[0],
            run("storage", "migrate", "--from", "local", "--to", f"file://{folder}/there", "--dry-run", "--plan", "p")[
                0
            ],
            run("storage", "migrate", "--from", "local", "--to", f"file://{folder}/there")[0],
            run(*AWAY, "generate", "survey.csv")[0],
        ]
        assert made == [0] * 4, made
        self.home = folder / "home"

    def targets(self, what: str) -> list[tuple[Path, list[tuple[str, ...]]]]:
        """Return the files to change, each with the commands that read it."""
        if what == "config":
            shown = [
                ("storage", "config", "show"),
                ("list",),
                ("storage", "status"),
                ("storage", "config", "show", "--json"),
            ]
            return [(Path("persona.yaml"), shown)]
        found: list[tuple[Path, list[tuple[str, ...]]]] = [
            (Path(name), [("generate", name, "--overwrite")]) for name in INPUTS
        ]
        reading = [
            ("list", "--json"),
            ("show", "personas", "leslie"),
            *(("export", "--format", kind) for kind in ("csv", "markdown", "yaml", "json")),
        ]
        found += [(path, reading) for path in Path("data").rglob("*.yaml")]
        found.append((Path("p"), [("storage", "migrate", "--plan", "p")]))
        found += [
            (path, [("storage", "migrate", "status"), ("storage", "migrate", "list"), ("storage", "migrate", "report")])
            for path in self.home.rglob("*.db")
        ]
        waiting = [(*AWAY, "storage", "outbox", "list"), (*AWAY, "list"), (*AWAY, "show", "personas", "leslie")]
        found += [(path, waiting) for path in self.home.rglob("entry.json")]
        kept = [(*AWAY, "storage", "cache", "stats"), (*AWAY, "list"), (*AWAY, "storage", "outbox", "list")]
        found += [(path, kept) for path in Path().rglob("*.sqlite3")]
        return found


def run(*arguments: str) -> tuple[int, str]:
    """Run a command line in this process; return its exit code and what it said on stderr."""
    before = sys.stdout, sys.stderr
    out, err = io.TextIOWrapper(io.BytesIO(), "utf-8", "replace"), io.StringIO()
    sys.stdout, sys.stderr = out, err
    try:
        return app.run(arguments), err.getvalue()
    finally:
        sys.stdout, sys.stderr = before


@contextmanager
def in_time() -> Iterator[None]:
    """Raise if what is within takes too long."""

    def late(*_: object) -> None:
        raise TimeoutError(f"over {SECONDS} s")

    signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)


def campaign(what: str, count: int, number: int, folder: Path) -> dict[str, object]:
    """Run the cases, and return what they have shown."""
    targets = Project(folder).targets(what)
    kept = {path: path.read_bytes() for path, _ in targets}
    saved = folder.with_name(f"{folder.name}-as-made")
    shutil.copytree(folder, saved)
    codes: Counter[int] = Counter()
    kinds: Counter[str] = Counter()

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.sampled_from(targets), st.integers(0, 99), EDITS)
    def one(target: tuple[Path, list[tuple[str, ...]]], which: int, edits: list[tuple[str, float, bytes]]) -> None:
        path, commands = target
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(mutated(kept[path], edits))
        with in_time():
            code, said = run(*commands[which % len(commands)])
        assert code in CONTRACT, (code, said)
        assert "Traceback" not in said, said
        assert code == 0 or said, (code, commands)
        codes[code] += 1
        kinds[path.suffix or path.name] += 1
        if path.suffix in (
            ".db",
            ".sqlite3",
            ".json",
        ):  # what is damaged there may be moved aside, with what is beside it
            shutil.rmtree(folder / "home")
            shutil.copytree(saved / "home", folder / "home")
            shutil.rmtree(folder / "kept", ignore_errors=True)
            if (saved / "kept").exists():
                shutil.copytree(saved / "kept", folder / "kept")
        path.write_bytes(kept[path])

    one()
    # not by getrusage, which goes on from the memory of whoever began this process
    lines = Path("/proc/self/status").read_text().splitlines()
    peak = int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) // 1024
    return {"cases": codes.total(), "codes": codes, "kinds": kinds, "peak_mb": peak}


if __name__ == "__main__":
    shown = campaign(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), Path(sys.argv[4]))
    sys.stdout.write(json.dumps(shown) + "\n")
