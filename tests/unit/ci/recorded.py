"""Commands that are not run but written down, with answers that a test chooses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from clawdet_infra.ci.commands import Done
from clawdet_infra.ci.run import Change, Forge, Run

BASE, HEAD = "a" * 40, "b" * 40
FINE = Done(code=0, output="### Preview: nothing changes\n", messages="")


def run_of(*, change: Change | None = None, before: str | None = None, commit: str = HEAD, number: int = 7) -> Run:
    return Run(
        forge=Forge.GITHUB,
        commit=commit,
        number=number,
        page="https://forge.example/jobs/7",
        change=change,
        before=before,
        branch="main",
        default_branch="main",
    )


def change_of(*, foreign: bool = False, base: str = BASE, head: str = HEAD) -> Change:
    return Change(number=3, base=base, head=head, target="main", foreign=foreign)


@dataclass
class Recorded:
    """Answers by the second word of a command, such as `preview`; what has none ends well and says nothing."""

    answers: Mapping[str, Done] = field(default_factory=dict)
    calls: list[tuple[str, ...]] = field(default_factory=list)
    environments: list[Mapping[str, str]] = field(default_factory=list)

    def __call__(self, argv: Sequence[str], environment: Mapping[str, str], *, quiet: bool = False) -> Done:
        self.calls.append(tuple(argv))
        self.environments.append(environment)
        return self.answers.get(argv[1], FINE if argv[1] == "preview" else Done(code=0, output="", messages=""))

    @property
    def words(self) -> list[str]:
        return [call[1] for call in self.calls]
