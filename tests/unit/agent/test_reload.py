"""What an update of the proxy's configuration does to its connections, and what becomes of compiled modules."""

from __future__ import annotations

import json

from tests.unit.agent.server import Server

SITE = "respond /live"
OTHER = "respond /alive"


def loaded(server: Server, project: str) -> str:
    [text] = [
        one["loaded"] for one in server.world["containers"].values() if one["project"] == project and one.get("loaded")
    ]
    return text


def with_another_caddyfile(server: Server, payload: str, text: str = OTHER) -> str:
    """A payload whose proxy has another configuration, and nothing else."""
    return server.repacked(
        payload, lambda path, content: content.replace(SITE, text) if path.endswith("/Caddyfile") else content
    )


def test_another_caddyfile_alone_is_read_without_another_container(server: Server) -> None:
    first = server.payload()
    server.run(first)
    before = server.ids("pro-1")
    ran = server.run(with_another_caddyfile(server, first))
    assert ran.code == 0, ran.errors
    assert ran.report["release"] == 2
    assert server.ids("pro-1") == before, "its connections would be cut"
    assert OTHER in loaded(server, "pro-1")
    assert server.run(first).code == 0
    assert OTHER not in loaded(server, "pro-1"), "the way back is the same"


def test_a_caddyfile_that_the_proxy_refuses_fails_and_the_one_before_stays(server: Server) -> None:
    first = server.payload()
    server.run(first)
    before = server.ids("pro-1")
    ran = server.run(with_another_caddyfile(server, first, "broken /live"))
    assert ran.code == 1
    assert "the proxy refused its configuration" in ran.errors
    assert ran.errors.rstrip().endswith("release 1 is back and serving")
    assert server.ids("pro-1") == before
    assert SITE in loaded(server, "pro-1")
    assert SITE in (server.root / "pro-1/live/Caddyfile").read_text(), "what a restart of the server would read"


def test_a_proxy_that_does_not_run_well_is_started_again_with_the_new_one(server: Server) -> None:
    first = server.payload()
    server.run(first)
    containers = server.world["containers"]
    containers[server.ids("pro-1")["proxy"]]["health"] = "unhealthy"
    server.change(containers=containers)
    assert server.run(with_another_caddyfile(server, first)).code == 0
    assert OTHER in loaded(server, "pro-1")


def test_the_edge_of_a_shared_host_reads_another_caddyfile_too(server: Server) -> None:
    first = server.edge_payload()
    server.run(first)
    server.run(server.payload("free"))
    before = server.ids("clawdet-edge")
    ran = server.run(with_another_caddyfile(server, first))
    assert ran.code == 0, ran.errors
    assert server.ids("clawdet-edge") == before, "all customers of the host would be cut off"
    assert OTHER in loaded(server, "clawdet-edge")
    assert set(server.world["serving"]) == {"free-1.caddy"}


def caches(server: Server) -> list[str]:
    return sorted(name for name in server.world["volumes"] if "compile-cache" in name)


def test_each_image_has_compiled_modules_of_its_own_and_no_other_ones_container_reaches_them(server: Server) -> None:
    server.run(server.payload())
    [first] = caches(server)
    assert server.run(server.payload(gateway="gateway:2")).code == 0
    [second] = set(caches(server)) - {first}
    mounted = {
        one["image"]: [name for name in one["volumes"] if "compile-cache" in name]
        for one in server.world["containers"].values()
        if one["service"] == "gateway"
    }
    assert mounted == {"gateway:2": [second]}
    assert caches(server) == [second], "a disk must not fill with what old releases compiled"
    assert server.remove(server.payload(gateway="gateway:2")).code == 0
    assert caches(server) == []


def test_a_release_of_before_there_was_a_live_folder_is_put_back(server: Server) -> None:
    good = server.repacked(
        server.payload(), lambda path, content: _as_before(content) if path == "compose.yaml" else content
    )
    old = json.loads(good)
    old["compile_cache"] = None
    server.run(json.dumps(old))
    ran = server.run(server.payload(gateway="gateway:dying"))
    assert ran.code == 1
    assert server.running("pro-1")["gateway"] == "gateway:1"


def _as_before(compose: str) -> str:
    lines = compose.splitlines(keepends=True)
    out, skipping = [], False
    for line in lines:
        if line.startswith("  compile-cache:"):
            skipping = True
            continue
        skipping = skipping and line.startswith("    ")
        if not skipping and "compile-cache:/" not in line and "./live:" not in line:
            out.append(line)
    return "".join(out)
