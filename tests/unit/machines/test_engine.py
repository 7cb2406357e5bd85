"""How Docker's answers become errors for whoever asked."""

from __future__ import annotations

import pytest

from localcloud.host import CommandError
from localcloud.host.command import MissingProgramError, require, run
from localcloud.machines.docker.engine import failure, is_gone


def test_an_error_is_one_sentence_with_docker_s_reason() -> None:
    error = CommandError(["docker", "create", "--x"], 1, "warning: y\nError response from daemon: no space left\n")
    assert str(failure(["create", "--x"], error)) == "docker create failed: no space left"
    assert str(failure(["pull"], CommandError(["docker"], None, ""))) == "docker pull took too long"
    answer = "Error response from daemon: network x has active endpoints\nexit status 1\n"
    assert str(failure(["network", "rm", "x"], CommandError(["docker"], 1, answer))) == (
        "docker network failed: network x has active endpoints"
    )
    assert str(failure(["rm"], CommandError(["docker"], 1, ""))) == "docker rm failed: it gave no reason"


@pytest.mark.parametrize(
    "answer",
    ["Error: No such container: x", "Error response from daemon: network x not found", "Error: No such image: x"],
)
def test_things_that_are_gone_are_told_from_failures(answer: str) -> None:
    assert is_gone(answer)
    assert not is_gone("Cannot connect to the Docker daemon")


def test_missing_programs_are_named_with_their_packages() -> None:
    with pytest.raises(MissingProgramError, match=r"needs no-such-program.*apt-get install no-such-program"):
        require("sh", "no-such-program")


def test_a_failing_program_says_what_it_wrote_and_one_that_hangs_is_stopped() -> None:
    with pytest.raises(CommandError, match=r"ended with status 3: oh no"):
        run(["sh", "-c", "echo oh no >&2; exit 3"])
    with pytest.raises(CommandError, match="took too long"):
        run(["sleep", "20"], timeout=0.1)
    assert run(["cat"], stdin="text") == "text"
