"""A PostgreSQL server of the tests' own: Debian's programs, a folder in /tmp, a socket and no port."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg


class Server:
    """A running server; each call of `database` makes a new one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._made = 0

    def database(self) -> str:
        self._made += 1
        with self.admin() as connection:
            connection.execute(f"CREATE DATABASE test_{self._made}")
        return self.url(f"test_{self._made}")

    def url(self, database: str, user: str = "postgres") -> str:
        return f"postgresql://{user}@/{database}?host={self.folder}"

    def admin(self) -> psycopg.Connection[tuple[object, ...]]:
        return psycopg.connect(host=str(self.folder), user="postgres", dbname="postgres", autocommit=True)


@contextmanager
def postgresql() -> Iterator[Server]:
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), default=None)
    assert programs is not None, "PostgreSQL is not installed; run: scripts/system-packages dev"
    folder = Path(tempfile.mkdtemp(prefix="clawdet-postgresql-"))
    # PostgreSQL refuses to run as root; and it must not outlive these tests, however they end.
    switch = ["setpriv", "--pdeathsig", "QUIT"]
    if os.getuid() == 0:
        user = pwd.getpwnam("postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)
        switch += ["--reuid", "postgres", "--regid", "postgres", "--init-groups"]
    data = folder / "data"
    make = [programs / "initdb", "-D", data, "-U", "postgres", "--auth=trust", "--locale=C.UTF-8", "--no-sync"]
    subprocess.run([*switch, *make], check=True, capture_output=True, cwd=folder)
    options = {"listen_addresses": "", "unix_socket_directories": folder, "fsync": "off", "max_connections": 200}
    settings = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [*switch, programs / "postgres", "-D", data, *settings], stdout=log, stderr=log, cwd=folder
        )
    try:
        server = Server(folder)
        _wait(server, process)
        yield server
    finally:
        process.send_signal(signal.SIGQUIT)
        process.wait(timeout=30)
        shutil.rmtree(folder)


def _wait(server: Server, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + 60
    while not _answers(server):
        said = (server.folder / "log").read_text()
        assert process.poll() is None, f"PostgreSQL did not start: {said}"
        assert time.monotonic() < end, f"PostgreSQL does not answer: {said}"
        time.sleep(0.05)


def _answers(server: Server) -> bool:
    try:
        server.admin().close()
    except psycopg.OperationalError:
        return False
    return True
