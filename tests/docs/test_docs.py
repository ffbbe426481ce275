"""The documentation holds: it names all that there is and nothing else, its links lead somewhere, its examples run."""

from __future__ import annotations

import ast
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import click
import pytest

from persona.cli.app import EXIT_CODES, cli
from persona.cli.app import run as cli_run
from persona.config.schema import keys
from persona.errors import PersonaError
from tests.docs.examples import examples_of, matches, new_jobs, run
from tests.servers import Azurite, FakeGCS, S3Server, SeaweedFS
from tests.serving import Server

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "persona"
PAGES = sorted(
    page
    for page in ROOT.rglob("*.md")
    if not any(part.startswith(".") or part == "node_modules" for part in page.relative_to(ROOT).parts)
    and "research" not in page.parts
)
COMMANDS = ROOT / "docs" / "commands.md"
GLOBAL = {"--json", "--verbose", "-v", "--quiet", "-q", "--workspace", "--config", "--help", "-h", "--version"}
RUNNABLE = [page for page in PAGES if examples_of(page)]


class Served(NamedTuple):
    """The server that stands behind the examples of a page.

    Args:
        server: its name.
        address: what the page writes for its address; "" if it shows the provider's own, which needs none.
    """

    server: str
    address: str = ""


SERVED = {
    "docs/getting-started.md": Served(SeaweedFS.name),
    "docs/moving.md": Served(SeaweedFS.name),
    "docs/cache.md": Served(SeaweedFS.name),
    "docs/backends/s3.md": Served(SeaweedFS.name, "http://127.0.0.1:8333"),
    "docs/backends/gcs.md": Served(FakeGCS.name, "http://127.0.0.1:4443"),
    "docs/backends/azure.md": Served(Azurite.name, "http://127.0.0.1:10000/testaccount"),
}


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def without_code(text: str) -> str:
    """Return Markdown without its fenced blocks."""
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


# Commands and options


def all_commands(group: click.Group, name: str = "persona") -> Iterator[tuple[str, click.Command]]:
    """Yield every command below a group with its full name, also those that are imported when called."""
    context = click.Context(group)
    for child in group.list_commands(context):
        command = group.get_command(context, child)
        assert command is not None, child
        yield f"{name} {child}", command
        if isinstance(command, click.Group):
            yield from all_commands(command, f"{name} {child}")


TREE = dict(all_commands(cli))


def options_of(command: click.Command) -> set[str]:
    """Return the options of a command's own."""
    found = {
        name
        for parameter in command.params
        if isinstance(parameter, click.Option)
        for name in (*parameter.opts, *parameter.secondary_opts)
    }
    return found - GLOBAL


def sections() -> dict[str, str]:
    """Return the sections of the page of commands by their headings."""
    parts = re.split(r"^## (.+)$", COMMANDS.read_text(), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_every_command_is_documented_and_no_other() -> None:
    headings = {heading.strip("`") for heading in sections() if heading.startswith("`")}
    assert headings == set(TREE)


@pytest.mark.parametrize("name", TREE)
def test_every_option_is_documented_and_no_other(name: str) -> None:
    text = re.sub(r"`persona [^`]*`", "", sections()[f"`{name}`"])  # whole command lines may have any
    assert set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text)) - GLOBAL == options_of(TREE[name])


@pytest.mark.parametrize("name", TREE)
def test_every_choice_of_an_option_is_documented(name: str) -> None:
    choices = {
        str(choice)
        for parameter in TREE[name].params
        if isinstance(parameter.type, click.Choice)
        for choice in parameter.type.choices
    }
    assert {choice for choice in choices if not re.search(rf"`[^`]*\b{choice}`", sections()[f"`{name}`"])} == set()


def test_the_options_of_every_command_are_documented() -> None:
    shown = set(re.findall(r"`(--?[a-z-]+)[^`]*`", sections()["Options of every command"]))
    assert shown >= GLOBAL


@pytest.mark.parametrize("name", [name for name, command in TREE.items() if not isinstance(command, click.Group)])
def test_every_command_says_its_json_and_exit_codes(name: str) -> None:
    text = sections()[f"`{name}`"]
    assert "Exit codes: " in text
    assert "JSON: " in text


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_line_in_the_pages_is_understood(page: Path) -> None:
    words = re.findall(r"^\s*(?:\$ )?persona ((?:--\S+ \S+ )?[a-z][^\n#|]*)", page.read_text(), flags=re.MULTILINE)
    words += re.findall(r"`persona ([a-z][^`\n]*)`", page.read_text())
    for line in words:
        plain = re.sub(r"^--(?:workspace|config) \S+ |^--json ", "", line).split()
        command: click.Command = cli
        while plain and isinstance(command, click.Group) and not plain[0].startswith("-"):
            found = command.get_command(click.Context(command), plain[0])
            assert found is not None, f"persona {line}"
            command = found
            plain = plain[1:]
        unknown = {word.partition("=")[0] for word in plain if re.match(r"--[a-z]", word)} - GLOBAL
        assert unknown <= options_of(command), f"persona {line}"


@pytest.mark.parametrize("words", [(), ("storage",), ("storage", "config"), ("workspace",)], ids=" ".join)
def test_a_group_without_a_command_shows_its_help_and_no_reproach(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli_run(words) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"Usage: {' '.join(('persona', *words))} [OPTIONS] COMMAND")
    assert "Error" not in said.err


# Keys and exit codes


def test_every_configuration_key_is_documented() -> None:
    text = (ROOT / "docs" / "configuration.md").read_text()
    variables = {f"`PERSONA_{name.replace('.', '__').upper()}`" for name in keys()}
    assert {variable for variable in variables if variable not in text} == set()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_variable_of_a_key_in_the_pages_is_one(page: Path) -> None:
    known = {f"PERSONA_{name.replace('.', '__').upper()}" for name in keys()} | {"PERSONA_STORAGE__SECTION__KEY"}
    examples_of_mistakes = {"PERSONA_STORAGE__S3__BUKET"}
    assert set(re.findall(r"PERSONA_STORAGE__\w+", page.read_text())) - examples_of_mistakes <= known


def exit_codes() -> set[int]:
    """Return every exit code that there is: those of errors, done, and interrupted."""

    def below(kind: type[PersonaError]) -> Iterator[int]:
        yield kind.exit_code
        for child in kind.__subclasses__():
            yield from below(child)

    return {0, *below(PersonaError), 130}


@pytest.mark.parametrize("page", [ROOT / "README.md", COMMANDS], ids=name_of)
def test_every_exit_code_is_documented_in_the_words_of_the_help(page: Path) -> None:
    shown = {int(code): said for code, said in re.findall(r"^\| (\d+) \| ([^|]+?) \|", page.read_text(), re.MULTILINE)}
    helped = {int(code): said for code, said in re.findall(r"^  (\d+) +(.+)$", EXIT_CODES, re.MULTILINE)}
    assert shown == helped
    assert set(shown) == exit_codes()


# Links


def anchors_of(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", without_code(page.read_text()), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(page.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        file, _, anchor = target.partition("#")
        place = (page.parent / file).resolve() if file else page
        assert place.exists(), target
        assert not anchor or anchor in anchors_of(place), target


def test_every_page_of_the_documentation_is_linked_from_the_first() -> None:
    linked = {(ROOT / target.partition("#")[0]).resolve() for target in re.findall(r"\]\(([^)\s]+)\)", readme())}
    assert {name_of(page) for page in PAGES if name_of(page).startswith("docs/") and page not in linked} == set()


def readme() -> str:
    return (ROOT / "README.md").read_text()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_no_page_names_a_place_on_the_writers_machine(page: Path) -> None:
    text = page.read_text()
    assert str(ROOT) not in text
    assert re.findall(r"/tmp/\S*|/root\b\S*|/Users/\S*|/home/(?!you\b)\S*|[A-Z]:\\\\?Users\S*", text) == []


# Examples


def test_the_pages_have_examples() -> None:
    assert {"README.md", *SERVED} <= {name_of(page) for page in RUNNABLE}


@pytest.mark.parametrize("page", RUNNABLE, ids=name_of)
def test_the_examples_of_a_page_print_what_it_shows(
    page: Path, tmp_path: Path, running: Callable[[str], Server]
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (work / "examples").symlink_to(ROOT / "examples")
    environment, stands_for = in_a_home(tmp_path)
    served = SERVED.get(name_of(page))
    if served:
        more, places = on_server(running(served.server), served, f"page-{page.stem.lower()}-{os.getpid()}")
        environment |= more
        stands_for |= places
    for example in examples_of(page):
        printed = run(example, work, environment, stands_for)
        jobs = new_jobs(example.printed, printed, stands_for)
        stands_for |= jobs
        for shown, real in jobs.items():
            printed = printed.replace(real, shown)
        if served and not served.address:
            printed = re.sub(r"^Endpoint: .*\n", "", printed.replace("S3-compatible", "AWS S3"), flags=re.MULTILINE)
        assert matches(example.printed, printed), (
            f"{name_of(page)}:{example.line}: $ {example.command}\nshows:\n{example.printed}\nprints:\n{printed}"
        )


def in_a_home(folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Return the environment of a new user with a ``persona`` on the path, and what pages write for its places."""
    program = folder / "bin" / "persona"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m persona "$@"\n')
    program.chmod(0o700)
    home = folder / "you"
    home.mkdir()
    environment = {
        "PATH": f"{program.parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(SOURCE.parent),
        "PYTHONUNBUFFERED": "1",
        "HOME": str(home),
    }
    return environment, {"/home/you": str(home)}


def on_server(server: Server, served: Served, bucket: str) -> tuple[dict[str, str], dict[str, str]]:
    """Return the variables with a server's credentials, and what a page writes for it and for a new bucket."""
    variables = {}
    if isinstance(server, S3Server):
        variables = {"AWS_ACCESS_KEY_ID": server.access_key, "AWS_SECRET_ACCESS_KEY": server.secret_key}
    if isinstance(server, Azurite):
        variables = {"AZURE_STORAGE_ACCOUNT": server.account, "AZURE_STORAGE_KEY": server.account_key}
    places = {"company-personas": server.make_bucket(bucket)}
    if served.address:
        places[served.address] = server.endpoint
    else:
        variables["PERSONA_STORAGE__S3__ENDPOINT_URL"] = server.endpoint
    return variables, places


def test_the_ellipsis_stands_for_any_text_and_no_less() -> None:
    assert matches("a\n...\nz\n", "a\nb\nc\nz\n")
    assert matches("a ... z\n", "a b c z\n")
    assert not matches("a\nz\n", "a\nb\nz\n")
    assert not matches("a ... z\n", "a b\nc z\n")
    assert not matches("", "a\n")


def test_the_id_of_a_job_in_a_page_stands_for_one_that_is_printed() -> None:
    shown, printed = "20260101-120000-aaaa", "20261122-211046-ab3f"
    assert new_jobs(f"Job: {shown}\n", f"Job: {printed}\n", {}) == {shown: printed}
    assert new_jobs(f"Job: {shown}\n", f"Job: {printed}\n", {shown: printed}) == {}
    assert new_jobs("...\n", f"Job: {printed}\n", {}) == {}


@pytest.mark.parametrize("name", [name for name in SERVED if "/backends/" in name])
def test_a_page_says_how_to_start_its_server(name: str) -> None:
    assert f"python -m tests.servers {SERVED[name].server} company-personas\n" in (ROOT / name).read_text()


# Docstrings


def public_names(tree: ast.Module) -> Iterator[tuple[str, ast.AST]]:
    """Yield the public classes, functions and methods of a module, and the module itself."""
    yield "module", tree
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node.name, node
            if isinstance(node, ast.ClassDef):
                for inner in node.body:
                    if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef) and not inner.name.startswith("_"):
                        yield f"{node.name}.{inner.name}", inner


@pytest.mark.parametrize("file", sorted(SOURCE.rglob("*.py")), ids=lambda file: file.relative_to(SOURCE).as_posix())
def test_every_public_name_has_a_docstring(file: Path) -> None:
    documentable = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    bare = [
        name
        for name, node in public_names(ast.parse(file.read_text()))
        if isinstance(node, documentable) and not ast.get_docstring(node)
    ]
    assert bare == []
