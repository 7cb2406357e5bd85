"""The secrets of a deployment: how tokens are made, and whether the `.env` file carries any value unchanged."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping

from pydantic import TypeAdapter, ValidationError

from clawdet_infra.checks.finding import Finding
from clawdet_infra.model.secrets import TOKEN_BYTES, GatewayToken, derived_password
from clawdet_infra.redaction import values_of
from clawdet_infra.render import env_file

SAMPLES = 200
MOST_SECONDS = 0.010
"""For one token."""

NASTY = (
    "plain",
    "",
    "with space ",
    "'single'",
    '"double"',
    'it\'s "both" $HOME',
    "back\\slash",
    "ends with \\",
    "'ends with \\",
    "$HOME ${HOME} $$",
    "# no comment",
    "a=b",
    "`id` $(id)",
    "{{braces}} %s",
    "äöü 漢字 🦞",
)
IMPOSSIBLE = ("line\nbreak", "carriage\rreturn", "null\0", "tab\t", "escape\x1b", "delete\x7f")

_VARIABLE = re.compile(
    r"""^(?P<name>\w+)=(?:'(?P<single>(?:[^'\\\n]|\\(?!'))*)'|"(?P<double>(?:[^"\\$\n]|\\[\\"$])*)")$""",
    re.MULTILINE,
)
_SHAPE: TypeAdapter[object] = TypeAdapter(GatewayToken)


def token_findings(make: Callable[[], str] | None = None) -> Iterator[Finding]:
    """Yield what is wrong with freshly made tokens: their shape, repetitions, the time that one takes.

    The rules of shape and the password that is derived from a token are those of the program.
    """
    make = make or (lambda: secrets.token_hex(TOKEN_BYTES))
    tokens, times = [], []
    for _ in range(SAMPLES):
        begun = time.perf_counter()
        tokens.append(make())
        times.append(time.perf_counter() - begun)
    # The median: a machine that was busy for a moment says nothing about its random numbers.
    seconds = sorted(times)[SAMPLES // 2]
    for token in tokens:
        try:
            _SHAPE.validate_python(token)
        except ValidationError as error:
            # Only the rule's own sentence: it never shows the value.
            yield _token_finding(f"a token {error.errors(include_input=False)[0]['msg']}")
            break
    if len(set(tokens)) < len(tokens):
        yield _token_finding("a token was made twice.")
    if len({derived_password(token) for token in tokens}) < len(set(tokens)):
        yield _token_finding("two tokens give the same password.")
    if seconds > MOST_SECONDS:
        yield _token_finding(f"making one takes {seconds * 1000:.0f} ms; more than {MOST_SECONDS * 1000:.0f} is odd.")


def env_file_findings(write: Callable[[Mapping[str, str]], str] = env_file) -> Iterator[Finding]:
    """Yield values that do not come back from an `.env` file as they went in, or that it should have refused."""
    for value in NASTY:
        text = write({"VALUE": value})
        if _as_compose(text) != {"VALUE": value}:
            yield _env_finding(f"{value!a} does not come back as it went in.")
        # Deployments read the file too, to hide its values in what they say.
        elif values_of(text) != {"VALUE": value}:
            yield _env_finding(f"{value!a} would not be hidden in messages.")
    for value in IMPOSSIBLE:
        try:
            write({"VALUE": value})
        except ValueError:
            continue
        yield _env_finding(f"{value!a} was not refused, though such a file cannot carry it.")


def _as_compose(text: str) -> dict[str, str]:
    """Return the variables as Compose reads them, without any that it might read in another way.

    Single quotes end at the next quote, unless a backslash stands before it.  Between double quotes a backslash takes
    away what the character after it means, and a dollar sign begins a variable.
    """
    found = {}
    for match in _VARIABLE.finditer(text):
        single, double = match["single"], match["double"]
        found[match["name"]] = single if double is None else re.sub(r"\\(.)", r"\1", double)
    return found


def _token_finding(message: str) -> Finding:
    hint = "A source of random numbers that does this gives no secrets; do not deploy from this machine."
    return Finding(rule="tokens", message=message, hint=hint)


def _env_finding(message: str) -> Finding:
    return Finding(rule="env_file", message=message, hint="See `env_file`.", file="clawdet_infra/render/environment.py")
