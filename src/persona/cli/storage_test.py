"""``persona storage config test``."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click

from persona.cli.app import PersonaCommand
from persona.cli.render import heading
from persona.cli.session import Session
from persona.errors import PersonaError

if TYPE_CHECKING:
    from persona.storage.probe import Findings


@click.command(cls=PersonaCommand)
@click.pass_obj
def test(session: Session) -> int:
    """Try every step of the way to the storage, with a probe object that is removed."""
    findings = asyncio.run(_examine(session))
    if session.json:
        session.emit(_document(findings))
    else:
        print(heading("Storage Test") + "\n" + _text(findings))
    return findings.failure.exit_code if findings.failure else 0 if findings.ok else 1


async def _examine(session: Session) -> Findings:
    from persona.storage.layers.breaker import Breaker
    from persona.storage.probe import Findings, examine
    from persona.storage.stack import impatient, open_storage

    try:
        storage = Breaker(open_storage(impatient(session.workspace.settings.storage)))
    except PersonaError as error:
        findings = Findings()
        findings.fail("credentials" if error.exit_code == 4 else "configuration", error)
        return findings
    try:
        return await examine(storage, session.workspace.settings.storage.residency)
    finally:
        await storage.close()


def _document(findings: Findings) -> dict[str, Any]:
    place = findings.place
    return {
        "ok": findings.ok,
        "credentials": {
            "source": place.credentials if place else None,
            "identity": place.identity if place else None,
        },
        "checks": [
            {"name": check.name, "ok": check.ok, "detail": check.detail, "hint": check.hint}
            for check in findings.checks
        ],
        "capabilities": findings.capabilities,
    }


def _text(findings: Findings) -> str:
    lines = []
    for check in findings.checks:
        identity = findings.place.identity if findings.place and check.name == "credentials" else None
        lines.append(
            f"{'✅' if check.ok else '❌'} {check.name}: {check.detail}" + (f", {identity}" if identity else "")
        )
        if check.hint and not check.ok:
            lines.append(f"   → {check.hint}")
    return "\n".join(lines)
