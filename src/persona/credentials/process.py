"""A program that prints AWS credentials: the ``credential_process`` of a profile."""

from __future__ import annotations

import json
import subprocess

from persona.neutral import line

PROCESS_SECONDS = 60.0
"""How long a credential_process may take: some wait for a person to touch a key or to log in."""
_SAID = 300
"""How much of what a credential_process wrote is shown, in characters."""


class ProcessError(RuntimeError):
    """A credential_process did not end in time, or printed no credentials."""


class CredentialProcess(subprocess.Popen[bytes]):
    """A credential_process, for which botocore would wait for ever."""

    def communicate(
        self,
        input: bytes | None = None,  # noqa: A002  (its name in subprocess)
        timeout: float | None = None,
    ) -> tuple[bytes, bytes]:
        """Return what it writes, or end it once its time is over."""
        try:
            out, err = super().communicate(input, timeout or PROCESS_SECONDS)
            if not self.returncode:
                _require_credentials(out)
            return out, err.decode(errors="replace").encode()  # botocore takes it for UTF-8
        except subprocess.TimeoutExpired as error:
            self.kill()
            for pipe in (self.stdout, self.stderr):  # a child of its own may hold them open
                if pipe is not None:
                    pipe.close()
            self.wait()
            said = bytes(error.stderr or b"").decode(errors="replace")
            shown = f", and wrote to stderr: “{shortened(said)}”" if said.strip() else " and wrote nothing to stderr"
            raise ProcessError(f"credential_process did not end within {PROCESS_SECONDS:g} s{shown}") from None


def _require_credentials(out: bytes) -> None:
    """Raise `ProcessError` unless a program printed credentials; what it printed instead may be secret.

    Their form is https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html.
    """
    reason = ""
    try:
        found = json.loads(out)
    except (ValueError, RecursionError):
        reason = "it is no JSON" if out.strip() else "it is empty"
    else:
        if not isinstance(found, dict):
            reason = "it is no JSON object"
        elif found.get("Version") == 1:
            needed = ("AccessKeyId", "SecretAccessKey")
            texts = (*needed, *(name for name in ("SessionToken", "Expiration") if found.get(name) is not None))
            wrong = [name for name in texts if not isinstance(found.get(name), str) or not found[name]]
            reason = f"{' and '.join(wrong)} is missing or no text" if wrong else ""
    if reason:
        raise ProcessError(f"what credential_process wrote to stdout is no credentials: {reason}")


def shortened(text: str) -> str:
    """Return what a program wrote, in one line; the end of it says what was wrong."""
    flat = line(" ".join(text.split()))
    return flat if len(flat) <= _SAID else f"…{flat[-_SAID:]}"
