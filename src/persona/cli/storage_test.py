"""``persona storage config test``."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click

from persona.cli.app import PersonaCommand
from persona.cli.render import heading, human_time, json_time
from persona.cli.session import Session
from persona.errors import PersonaError
from persona.neutral import harmless
from persona.redaction import redacted

if TYPE_CHECKING:
    from persona.credentials.chain import Report
    from persona.storage.probe import Findings


@click.command(cls=PersonaCommand)
@click.pass_obj
def test(session: Session) -> int:
    """Try every step of the way to the storage, with a probe object that is removed."""
    findings = asyncio.run(_examine(session))
    if session.json:
        session.emit(_document(findings))
    else:
        print(heading("Storage Test") + "\n" + harmless(redacted(_text(findings))))
    for check in findings.checks:
        if not check.ok:
            session.warn_if_quiet(
                f"Error: {check.name}: {check.detail}" + (f"\n  → {check.hint}" if check.hint else "")
            )
    return findings.failure.exit_code if findings.failure else 0 if findings.ok else 1


async def _examine(session: Session) -> Findings:
    from persona.credentials.chain import ChainError, Report
    from persona.storage.layers.breaker import Breaker
    from persona.storage.probe import Findings, examine
    from persona.storage.stack import credentials_of, impatient, open_storage

    try:
        bare = open_storage(impatient(session.workspace.settings.storage))
    except PersonaError as error:
        findings = Findings()
        if isinstance(error, ChainError):
            findings.credentials = Report(chain=error.chain)
        findings.fail("credentials" if error.exit_code == 4 else "configuration", error)
        return findings
    storage = Breaker(bare)
    try:
        return await examine(storage, credentials_of(bare), session.workspace.settings.storage.residency)
    finally:
        await storage.close()


def _document(findings: Findings) -> dict[str, Any]:
    found = findings.credentials
    return {
        "ok": findings.ok,
        "credentials": {
            "source": found.source,
            "identity": found.identity,
            "expires": json_time(found.expires),
            "chain": [
                {"step": step.step, "tried": step.tried, "found": step.found, "detail": redacted(step.detail)}
                for step in found.chain
            ],
        },
        "checks": [
            {"name": check.name, "ok": check.ok, "detail": redacted(check.detail), "hint": redacted(check.hint)}
            for check in findings.checks
        ],
        "capabilities": findings.capabilities,
        "proxy": findings.proxy.url if findings.proxy else None,
    }


def _text(findings: Findings) -> str:
    lines = [f"Proxy: {findings.proxy.url} ({findings.proxy.variable})", ""] if findings.proxy else []
    for check in findings.checks:
        about = _credentials(findings.credentials) if check.name == "credentials" else ""
        lines.append(f"{'✅' if check.ok else '❌'} {check.name}: {check.detail}{about}")
        if check.hint and not check.ok:
            lines.append(f"   → {check.hint}")
        if check.name == "credentials":
            lines += _chain(findings.credentials)
    return "\n".join(lines)


def _credentials(found: Report) -> str:
    """Return whose credentials they are, and until when."""
    until = f", until {human_time(found.expires)}" if found.expires else ""
    return (f", {found.identity}" if found.identity else "") + until


def _chain(found: Report) -> list[str]:
    """Return the steps in the order in which they were tried, unless there was nothing to look for."""
    if len(found.chain) < 2:
        return []
    width = max(len(step.step) for step in found.chain)
    marks = {(True, True): "✓", (True, False): "✗"}
    rows = [
        f"   {marks.get((step.tried, step.found), '–')} {step.step:<{width}}  "
        f"{step.detail or ('found' if step.found else 'nothing')}"
        for step in found.chain
    ]
    return [row.rstrip() for row in rows]
