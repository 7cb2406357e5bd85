"""The probe as a program: a target as JSON on stdin, one line of JSON on stdout, or an error line
(`clawdet_infra.error_line`) on stderr.

It exits with 0 where the customer is healthy within the deadline, with 1 where not, and with 2 where the target is not
understood.
"""

from __future__ import annotations

import asyncio
import json
import sys

import pydantic

from clawdet_infra.error_line import FailureCode, marked
from clawdet_infra.probe.target import Target
from clawdet_infra.probe.wait import probe_until_healthy


def main() -> int:
    """Run the probe."""
    try:
        target = Target.model_validate_json(sys.stdin.read())
    except pydantic.ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        print(marked(FailureCode.INPUT, f"the probe's input is wrong: {wrong}"), file=sys.stderr)
        return 2
    try:
        outcome = asyncio.run(probe_until_healthy(target))
    except OSError as error:
        text = f"customer {target.customer}: the CA bundle {target.ca_bundle} cannot be used: {error}"
        print(marked(FailureCode.INPUT, text), file=sys.stderr)
        return 2
    failure = outcome.verdict.failure
    if failure is None:
        facts = outcome.verdict.facts()
        print(json.dumps({**facts, "looks": outcome.looks, "total_seconds": outcome.seconds}))
        return 0
    tried = f"{outcome.looks} look{'s' if outcome.looks > 1 else ''} in {outcome.seconds:.0f} s"
    text = (
        f"customer {target.customer}: probe {failure.stage} failed: {failure.what} ({tried}); "
        f"last answer: {failure.last_answer or 'none'}"
    )
    print(marked(FailureCode.UNHEALTHY, text), file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
