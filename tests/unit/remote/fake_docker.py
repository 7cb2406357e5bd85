#!PYTHON -IS
"""A stand-in for Docker on a server: it keeps what there is in a file and can be told how things go wrong.

The folder that it lies in holds `world.json` (images, containers, networks, volumes) and `calls.jsonl` (each call's
arguments).  What an image is called decides how its gateway behaves:
`…dying…` stops again and again, `…unready…` never gets ready, `…picky…` refuses data that a newer one has written.
"""

import json
import os
import shutil
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
WORLD = HERE / "world.json"
ARGS = sys.argv[1:]
# Started without the site module, which halves the time that each call takes; this is where PyYAML is.
SITE = "PACKAGES"


def load():
    return json.loads(WORLD.read_text())


def save(world):
    new = WORLD.with_suffix(".new")
    new.write_text(json.dumps(world, indent=1))
    new.rename(WORLD)


def fail(text, code=1):
    print(text, file=sys.stderr)
    sys.exit(code)


def option(name):
    found = options(name)
    return found[-1] if found else None


def options(name):
    return [ARGS[place + 1] for place, one in enumerate(ARGS) if one == name]


def labels():
    return [one.removeprefix("label=") for one in options("--filter") if one.startswith("label=")]


def matching(things):
    for name, thing in things.items():
        own = thing["labels"]
        if all(own.get(label.partition("=")[0]) == label.partition("=")[2] for label in labels()):
            yield name


def state_folder(world, container):
    return Path(world["volumes"][f"{container['project']}_state"]["folder"])


def compose(world):
    command = next(one for one in ("version", "up", "logs") if one in ARGS)
    if command == "version":
        return print("2.26.1")
    project, file = option("--project-name"), Path(options("--file")[0])
    if command == "logs":
        return print(
            "starting\nError: the machine says no, token="
            + secret_of(file)
            + "\n    at start (gateway.js:1)\nNode.js v22"
        )
    sys.path.append(SITE)
    import yaml

    world["ups"] += 1
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    services = yaml.load(file.read_text(), loader)["services"]
    environment = Path(option("--env-file")).read_text()
    # As Compose does it: variables of its own environment come before those of the file.
    environment += "".join(f"{name}='{value}'\n" for name, value in os.environ.items())
    wanted = ARGS[ARGS.index("--pull") + 2 :]
    wanted = [one for one in wanted if not one.startswith("-")]
    chosen = set(wanted) or set(services)
    for name in list(chosen):
        chosen |= set(services[name].get("depends_on", []))
    for name in chosen:
        service = services[name]
        if service["image"] not in world["images"]:
            fail(f"no such image: {service['image']}")
        used = [line for line in environment.splitlines() if f"${{{line.split('=')[0]}:" in json.dumps(service)]
        settings = json.dumps([service, used], sort_keys=True)
        old = next(
            (one for one, c in world["containers"].items() if (c["project"], c["service"]) == (project, name)), None
        )
        if old and world["containers"][old]["settings"] == settings:
            world["containers"][old]["running"] = True
            continue
        if old:
            forget_container(world, old)
        world["made"] += 1
        container = {
            "project": project,
            "service": name,
            "image": service["image"],
            "settings": settings,
            "running": True,
            "restart": "no" if len(options("--file")) > 1 else service["restart"],
            "labels": {
                "com.docker.compose.project": project,
                "com.docker.compose.project.working_dir": option("--project-directory"),
                "com.docker.compose.service": name,
            },
            "volumes": [f"{project}_{one.split(':')[0]}" for one in service.get("volumes", []) if one[0] not in "./"],
        }
        world["containers"][f"c{world['made']}"] = container
        for network in service.get("networks", ["default"]):
            full = f"{project}_{network}"
            own = {"com.docker.compose.project": project}
            if network == "edge":
                own["clawdet.edge"] = "tenant"
            world["networks"].setdefault(full, {"labels": own, "members": []})["members"].append(f"c{world['made']}")
        if name == "gateway" and "dying" not in service["image"]:
            written = state_folder(world, container) / "written-by"
            if "picky" not in service["image"] or not written.exists():
                written.write_text(service["image"])
    if "--remove-orphans" in ARGS:
        for one, container in list(world["containers"].items()):
            if container["project"] == project and container["service"] not in services:
                forget_container(world, one)
    save(world)
    return None


def secret_of(file):
    lines = (file.parent / ".env").read_text().splitlines()
    return lines[0].partition("=")[2].strip("'") if lines else ""


def forget_container(world, name):
    del world["containers"][name]
    for network in world["networks"].values():
        network["members"] = [one for one in network["members"] if one != name]


def inspect(world, names):
    found = []
    for name in names:
        container = world["containers"][name]
        dying = "dying" in container["image"] and container["service"] == "gateway"
        once = container["restart"] == "no"
        status = ("exited" if once else "restarting") if dying else "running" if container["running"] else "exited"
        found.append(
            {
                "Config": {"Labels": container["labels"]},
                "HostConfig": {"RestartPolicy": {"Name": container["restart"]}},
                "RestartCount": 3 if dying and not once else 0,
                "NetworkSettings": {"Networks": networks_of(world, container)},
                "Mounts": [{"Type": "volume", "Name": one} for one in container["volumes"]],
                "State": {
                    "Status": status,
                    "ExitCode": 1 if dying else 0,
                    "Health": {"Status": "healthy", "Log": []},
                },
            }
        )
    print(json.dumps(found))


def networks_of(world, container):
    """The gateways of these tests answer on loopback addresses; see gateways.py."""
    if container["service"] == "namespace" or '"network_mode"' not in container["settings"]:
        return {f"{container['project']}_default": {"IPAddress": world["addresses"].get(container["project"], "")}}
    return {}


def main():
    with (HERE / "calls.jsonl").open("a") as calls:
        calls.write(json.dumps(ARGS) + "\n")
    act()


def act():
    world = load()
    match ARGS:
        case ["info", *_]:
            print("26.1.5")
        case ["compose", *_]:
            compose(world)
        case ["image", "inspect", *_]:
            if ARGS[-1] not in world["images"]:
                fail("no such image")
        case ["image", "rm", image]:
            world["images"].remove(image)
            save(world)
        case ["pull", *_]:
            if ARGS[-1] not in world["registry"]:
                fail(f"manifest for {ARGS[-1]} not found")
            world["images"].append(ARGS[-1])
            save(world)
        case ["volume", "create", *_]:
            if ARGS[-1] not in world["volumes"]:
                folder = HERE / "volumes" / ARGS[-1] / "_data"
                folder.mkdir(parents=True)
                own = dict(one.split("=", 1) for one in options("--label"))
                world["volumes"][ARGS[-1]] = {"labels": own, "folder": str(folder)}
                save(world)
        case ["volume", "inspect", *_]:
            if ARGS[-1] not in world["volumes"]:
                fail(f"no such volume: {ARGS[-1]}")
            print(world["volumes"][ARGS[-1]]["folder"])
        case ["volume", "ls", *_]:
            print("\n".join(matching(world["volumes"])))
        case ["volume", "rm", *_, name]:
            if any(name in one["volumes"] for one in world["containers"].values()):
                fail(f"remove {name}: volume is in use")
            shutil.rmtree(Path(world["volumes"].pop(name)["folder"]).parent)
            save(world)
        case ["ps", *_]:
            running = [
                one for one in matching(world["containers"]) if "--all" in ARGS or world["containers"][one]["running"]
            ]
            print("\n".join(running))
        case ["inspect", *names]:
            inspect(world, names)
        case ["rm", "--force", "--volumes", name]:
            forget_container(world, name)
            save(world)
        case ["stop", name]:
            world["containers"][name]["running"] = False
            save(world)
        case ["exec", name, "caddy", "reload", *_]:
            sites = Path(world["sites"]).glob("*.caddy")
            text = {site.name: site.read_text() for site in sites}
            if any("refused" in one for one in text.values()):
                fail("Error: adapting config: unrecognized directive")
            world["serving"] = text
            save(world)
        case ["network", "ls", *_]:
            print("\n".join(matching(world["networks"])))
        case ["network", "connect", network, name]:
            members = world["networks"][network]["members"]
            if name in members:
                fail(f"endpoint with name {name} already exists in network {network}")
            members.append(name)
            save(world)
        case ["network", "disconnect", "--force", network, name]:
            if name not in world["networks"].get(network, {"members": []})["members"]:
                fail(f"container {name} is not connected to network {network}")
            world["networks"][network]["members"].remove(name)
            save(world)
        case ["network", "inspect", *_]:
            print(" ".join(world["networks"][ARGS[-1]]["members"]))
        case ["network", "rm", name]:
            if world["networks"][name]["members"]:
                fail(f"network {name} has active endpoints")
            del world["networks"][name]
            save(world)
        case _:
            fail(f"the stand-in does not know: docker {' '.join(ARGS)}", 64)


if __name__ == "__main__":
    main()
