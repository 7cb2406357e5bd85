"""The command line of the local cloud: `python -m localcloud up | down | destroy | status | info | images`."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from localcloud import commands
from localcloud.commands import Teller
from localcloud.errors import EXPECTED_ERRORS
from localcloud.info import Info
from localcloud.paths import DEFAULT_NAME, Paths
from localcloud.running import image_digests
from localcloud.settings import Behaviour, SettingsError

Options = argparse.Namespace


def parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    top = argparse.ArgumentParser(prog="python -m localcloud", description="A Hetzner Cloud that runs on this machine.")
    actions = top.add_subparsers(required=True, metavar="COMMAND")
    where = argparse.ArgumentParser(add_help=False)
    where.add_argument("--name", default=DEFAULT_NAME, help="which cloud (default: %(default)s)")
    where.add_argument("--home", type=Path, help="its folder (default: .clawdet/cloud/NAME)")

    def action(name: str, run: Callable[[Options], int], text: str) -> argparse.ArgumentParser:
        example = f"Example: clawdet cloud {name}"
        found = actions.add_parser(name, help=text, description=text, epilog=example, parents=[where])
        found.set_defaults(run=run)
        return found

    start = action("up", _up, "start the cloud, or find it running; returns when everything answers")
    start.add_argument("--api-only", action="store_true", help="servers without machines: no Docker, ACME or registry")
    start.add_argument("--egress", action="store_true", help="let servers reach what this machine reaches")
    start.add_argument("--port", type=_port, help="the API's port on 127.0.0.1")
    start.add_argument("--dns-port", type=_port, help="the name server's port on 127.0.0.1")
    start.add_argument("--boot-delay", type=_seconds, default=0.0, metavar="SECONDS", help="servers boot slower")
    start.add_argument(
        "--error-rate",
        action="append",
        default=[],
        metavar="'POST /servers=0.2'",
        help="let this share of a route's requests fail (repeatable; 'ACTION start_server=0.1' for actions)",
    )
    start.add_argument(
        "--rate-limit", type=int, default=3600, metavar="N", help="requests an hour (default: Hetzner's %(default)s)"
    )
    start.add_argument(
        "--sold-out",
        action="append",
        default=[],
        type=_sold_out,
        metavar="TYPE[@LOCATION]",
        help="let a server type be unavailable, everywhere or in one location (repeatable)",
    )
    start.add_argument("--seed", type=int, metavar="N", help="make injected errors the same on every run")
    action("down", _down, "stop the daemon and shut the servers down; everything is kept")
    action("destroy", _destroy, "remove everything that this cloud has made")
    for name, run, text in (
        ("status", _status, "say which parts answer; exit status 1 where one does not"),
        ("images", _images, "list the images that the registry serves, and their digests"),
    ):
        action(name, run, text).add_argument("--json", action="store_true", help="print JSON")
    info = action("info", _info, "say how to use the cloud")
    info.add_argument(
        "key", nargs="?", metavar="KEY", help="print this one value, for example endpoint or acme.directory"
    )
    info.add_argument("--json", action="store_true", help="print everything as JSON, the token included")
    return top


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 is success, 1 a failure, 2 a wrong command line.

    With --json a failure is an object on stdout too: `success`, `code`, `error` and `exitCode`.
    """
    as_json = "--json" in (sys.argv[1:] if arguments is None else arguments)
    try:
        options = parser().parse_args(arguments)
    except SystemExit as ended:
        if ended.code and as_json:
            _print_failure("usage", "the command line cannot be used; stderr says why", 2)
        raise
    try:
        result: int = options.run(options)
    except KeyboardInterrupt:
        if as_json:
            _print_failure("interrupted", "the command was interrupted", 130)
        return 130
    except (*EXPECTED_ERRORS, ValueError) as error:
        wrong = isinstance(error, ValueError)
        print(f"error: {error}", file=sys.stderr)
        if as_json:
            _print_failure("configuration" if wrong else "failed", str(error), 2 if wrong else 1)
        return 2 if wrong else 1
    return result


def _print_failure(code: str, text: str, exit_code: int) -> None:
    print(json.dumps({"success": False, "code": code, "error": text, "exitCode": exit_code}))


def _paths(options: Options) -> Paths:
    return Paths.of(options.name, options.home)


def _up(options: Options) -> int:
    # The API is slow to import, and whoever asks for no errors should not wait for it.
    rates = {}
    if options.error_rate:
        from localcloud.api.faults import parse_rates

        rates = parse_rates(options.error_rate)
    behaviour = Behaviour(
        boot_delay=options.boot_delay,
        error_rates=rates,
        rate_limit=options.rate_limit,
        seed=options.seed,
        sold_out=tuple(sorted(set(options.sold_out))),
    )
    teller = Teller()
    info = commands.up(
        _paths(options),
        teller,
        api_only=options.api_only,
        egress=options.egress,
        port=options.port,
        dns_port=options.dns_port,
        behaviour=behaviour,
    )
    teller(f"API {info.endpoint}, name server {info.dns}")
    return 0


def _down(options: Options) -> int:
    commands.down(_paths(options), Teller())
    return 0


def _destroy(options: Options) -> int:
    commands.destroy(_paths(options), Teller())
    return 0


def _status(options: Options) -> int:
    parts = commands.status(_paths(options))
    if options.json:
        print(json.dumps({"name": options.name, "up": all(parts.values()), "parts": parts}, indent=2))
    else:
        for part, good in parts.items():
            print(f"{part:9} {'answers' if good else 'does not answer'}")
    return 0 if all(parts.values()) else 1


def _images(options: Options) -> int:
    found = image_digests()
    if options.json:
        print(json.dumps(found, indent=2))
    else:
        for reference, digest in found.items():
            print(f"{reference:40} {digest or 'not built yet'}")
    return 0


def _info(options: Options) -> int:
    paths = _paths(options)
    info = Info.load(paths.info)
    if info is None:
        raise SettingsError(f"there is no cloud '{paths.name}'; start it with: clawdet cloud up --name {paths.name}")
    document = asdict(info)
    if options.key:
        return _print_value(document, options.key)
    if options.json:
        print(json.dumps(_camel_keys(document), indent=2))
        return 0
    for key, value in document.items():
        if isinstance(value, dict):
            for inner, text in value.items():
                print(f"{f'{key}.{inner}':15} {text}")
        else:
            print(f"{key:15} {'(print it with: info token)' if key == 'token' else '-' if value is None else value}")
    return 0


def _print_value(document: dict[str, object], key: str) -> int:
    value: object = document
    for part in key.split("."):
        if not isinstance(value, dict) or part not in value:
            raise ValueError(f"there is no '{key}'; there are {', '.join(document)}")
        value = value[part]
    print(value if isinstance(value, str) else json.dumps(value))
    return 0


def _camel_keys(document: dict[str, object]) -> dict[str, object]:
    """Return the content of info.json with its names in camelCase."""
    names = {key: re.sub(r"_(.)", lambda found: found[1].upper(), key) for key in document}
    return {names[key]: _camel_keys(value) if isinstance(value, dict) else value for key, value in document.items()}


def _port(text: str) -> int:
    number = int(text)
    if not 0 < number < 65536:
        raise argparse.ArgumentTypeError("a port is a number from 1 to 65535")
    return number


def _sold_out(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9]+(@[a-z0-9]+)?", text):
        raise argparse.ArgumentTypeError("it is like cx23 or cx23@fsn1")
    return text


def _seconds(text: str) -> float:
    number = float(text)
    if not 0 <= number < 3600:
        raise argparse.ArgumentTypeError("the delay is a number of seconds from 0 to 3600")
    return number


if __name__ == "__main__":
    sys.exit(main())
