"""The command line of this package: `python -m clawdet_infra.ci preview | comment | deploy | drift | issue`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from clawdet_infra.ci import comments, deploy, drift, preview, report
from clawdet_infra.ci.commands import CheckoutCommands, inert_log
from clawdet_infra.ci.errors import ReviewError, SettingsError
from clawdet_infra.ci.markdown import paragraphs, sanitize
from clawdet_infra.ci.report import Report
from clawdet_infra.ci.run import Run, read_run, stacks_of
from clawdet_infra.ci.secrecy import redactor
from clawdet_infra.ci.vcs import client_for
from clawdet_infra.redaction import Redactor

_ERROR, _CONFIGURATION = 1, 2

_HELP = {
    "preview": "preview the change on all stacks; ends as `clawdet preview` does",
    "comment": "write the report of the preview into the one comment on the change",
    "deploy": "recover, preview and update all stacks",
    "drift": "look whether the fleet is what is declared; ends with 7 where it is not",
    "issue": "open, update or close the issue about drift",
}


def main(argv: list[str] | None = None) -> int:
    """Run one job's step and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m clawdet_infra.ci", description="What continuous integration runs.")
    commands = parser.add_subparsers(dest="step", required=True)
    for name, text in _HELP.items():
        commands.add_parser(name, help=text, description=text)
    step = parser.parse_args(argv).step
    environment = dict(os.environ)
    redact = redactor(environment)
    with inert_log(environment):
        try:
            return _step(step, environment, Path.cwd(), redact)
        except ReviewError as error:
            print(f"error: {redact(str(error))}", file=sys.stderr)
            return _CONFIGURATION if isinstance(error, SettingsError) else _ERROR


def _step(step: str, environment: Mapping[str, str], root: Path, redact: Redactor) -> int:
    if step in (preview.KIND, deploy.KIND, drift.KIND):
        report.forget(step, root)
    run = read_run(environment)
    if step == "comment":
        return _comment(run, environment, root)
    if step == "issue":
        return _issue(run, environment, root)
    found = _find(step, run, environment, root, redact)
    report.publish(found, run, root, redact)
    print(redact(found.text), flush=True)
    return found.code


def _find(step: str, run: Run, environment: Mapping[str, str], root: Path, redact: Redactor) -> Report:
    commands = CheckoutCommands(root, redact)
    try:
        stacks = stacks_of(environment)
        if step == preview.KIND:
            return preview.preview(run, stacks, environment, commands, root)
        if step == deploy.KIND:
            return deploy.deploy(run, stacks, environment, commands, root)
        return drift.drift(run, stacks, environment, commands)
    except ReviewError as error:
        # Reviewers shall read it where they read everything else.
        code = _CONFIGURATION if isinstance(error, SettingsError) else _ERROR
        return Report(kind=step, code=code, commit=run.commit, text=paragraphs(["**Error.** " + sanitize(str(error))]))


def _comment(run: Run, environment: Mapping[str, str], root: Path) -> int:
    if run.change is None:
        print("This run is about no pull request, so there is nothing to comment on.")
        return 0
    if run.change.foreign:
        print("The change comes from a fork, whose jobs may write nothing. The report is in the job's summary.")
        return 0
    found = report.load(preview.KIND, run.commit, root)
    print(comments.comment(found, run, run.change, client_for(run, environment), sleep=comments.pause))
    return 0


def _issue(run: Run, environment: Mapping[str, str], root: Path) -> int:
    found = report.load(drift.KIND, run.commit, root)
    if found is None:
        print("The check has left no report, so nothing is known about drift; the issue stays as it is.")
        return 0
    print(comments.issue(found, run, client_for(run, environment), sleep=comments.pause))
    return 0


if __name__ == "__main__":
    sys.exit(main())
