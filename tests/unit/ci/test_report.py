from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from clawdet_infra.ci import report
from clawdet_infra.ci.report import Report
from clawdet_infra.ci.secrecy import redactor
from tests.unit.ci.recorded import BASE, HEAD, run_of

CANARY = "canary-4f1c0e-passphrase"
FOUND = Report(kind="preview", code=5, commit=HEAD, text="### Preview\n")


def test_a_report_is_found_again_by_its_commit_alone(tmp_path: Path) -> None:
    report.save(FOUND, tmp_path)
    assert report.load("preview", HEAD, tmp_path) == FOUND
    assert report.load("preview", BASE, tmp_path) is None, "a runner may keep its folder from job to job"
    assert report.load("drift", HEAD, tmp_path) is None
    report.forget("preview", tmp_path)
    assert report.load("preview", HEAD, tmp_path) is None


def test_no_secret_of_the_job_is_in_what_is_published(tmp_path: Path) -> None:
    hide = redactor({"PULUMI_CONFIG_PASSPHRASE": CANARY})
    summary = tmp_path / "summary"
    run = replace(run_of(), summary=summary)
    report.publish(replace(FOUND, text=f"the passphrase is {CANARY}\n"), run, tmp_path, hide)
    for file in tmp_path.rglob("*"):
        assert file.is_dir() or CANARY not in file.read_text()
    assert "[secret]" in summary.read_text()


def test_a_passphrase_in_a_file_is_a_secret_too(tmp_path: Path) -> None:
    file = tmp_path / "passphrase"
    file.write_text(f"{CANARY}\n")
    hide = redactor({"PULUMI_CONFIG_PASSPHRASE_FILE": str(file)})
    assert hide(f"wrong: {CANARY} in {file}") == f"wrong: [secret] in {file}"


def test_what_is_too_long_for_a_summary_is_said_to_be_elsewhere(tmp_path: Path) -> None:
    summary = tmp_path / "summary"
    summary.write_text("before\n")
    report.publish(replace(FOUND, text="ä" * 600_000), replace(run_of(), summary=summary), tmp_path, str)
    assert summary.read_text().startswith("before\nThe report is too long")
    assert (tmp_path / ".clawdet/report/preview.md").read_text() == "ä" * 600_000
