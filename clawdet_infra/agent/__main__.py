"""The agent's subcommands.  Each loads no more than it needs, for `status` runs on every server each minute."""

from __future__ import annotations

import sys
from pathlib import Path

USAGE = "usage: agent.pyz deploy | remove | status | restart | deployments | watchdog | firewall"


def main(arguments: list[str]) -> int:
    """Run a subcommand; return the exit code.

    deploy, remove [--root DIR]                          a payload on stdin, see `clawdet_infra.render.payload`
    status PROJECT…                                      how the server and these deployments are
    restart PROJECT DIRECTORY PATIENCE [SERVICE [AGE]]   restart containers of a deployment
    deployments ROOT                                     all that the server has of deployments
    watchdog                                             a round over all deployments
    firewall                                             set the containers' firewall
    """
    match arguments:
        case ["deploy" | "remove" as action, *rest]:
            from clawdet_infra.agent import deploy
            from clawdet_infra.agent.install import System
            from clawdet_infra.agent.package import Package

            system = System(Path(rest[1])) if rest[:1] == ["--root"] else System()
            return deploy.main(action, sys.stdin.read(), Package.running(), system)
        case ["status", *projects]:
            from clawdet_infra.agent import status

            return status.main(*projects)
        case ["restart", project, directory, patience, *rest] if len(rest) <= 2:
            from clawdet_infra.agent import restart

            return restart.main(project, directory, patience, *rest)
        case ["deployments", root]:
            from clawdet_infra.agent import deployments

            return deployments.main(root)
        case ["watchdog"]:
            from clawdet_infra.agent.watchdog import run

            return run.main()
        case ["firewall"]:
            from clawdet_infra.agent import firewall

            return firewall.main()
        case _:
            print(USAGE, file=sys.stderr)
            return 64


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
