// Writes the configuration with which the gateway starts, into the customer's own file.
//
// The file belongs to the customer: channels, agents and models are set in the Control UI, which writes it, or by hand.
// What the deployment decides (how the gateway is reached and who may speak to it; settings.mjs has the list) wins at
// every start.  Each setting that lost is named in the log and in `clawdet-settings.json` beside the file, without its
// value.  The file as it was, with its comments, is kept as `openclaw.json.as-written`.  What the deployment merely proposes
// (the model) is written only where the customer has said nothing.  The same goes for `.env` beside it, from which the
// gateway loads variables.

import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, readFileSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { networkInterfaces } from "node:os";
import { dirname, join, resolve, sep } from "node:path";
import { isDeepStrictEqual } from "node:util";

import { isObject, isOwnVariable, over, overruled, SECTIONS, settle } from "./settings.mjs";

// The gateway's own parsers, so that what it can read is read here.  An image without them does not pass its preflight.
const [json5, dotenv] = ["json5", "dotenv"].map(createRequire(join(process.cwd(), "package.json")));

// Far more than anybody needs, and little enough to start soon.
const MOST_BYTES = 2 ** 21;

const target = process.env.OPENCLAW_CONFIG_PATH;
const folder = dirname(target);
const report = join(folder, "clawdet-settings.json");
// What the gateway starts with; our plugin renames it to `clawdet-started.json` once it is loaded.
const starting = join(folder, "clawdet-starting.json");
const log = (text) => console.error("clawdet:", text);
const deployed = (name) => JSON.parse(readFileSync(`/etc/clawdet/${name}`, "utf8"));

// Returns the text of a file of the customer's, which may be anything: to read a pipe would never end.
function read(path, most = MOST_BYTES) {
  const found = statSync(path);
  if (!found.isFile() || found.size > most) throw new Error(`it is not a file of ${most} bytes at most`);
  return readFileSync(path, "utf8");
}

// Whatever the customer put where the file is written first goes.
function replace(path, content) {
  try {
    rmSync(`${path}.new`, { recursive: true, force: true });
  } catch {
    renameSync(`${path}.new`, `${path}.new.unreadable-${Date.now()}`);
  }
  writeFileSync(`${path}.new`, content, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

// What only informs must not keep the gateway from starting.
function attempt(work) {
  try {
    work();
  } catch (error) {
    log(error.message);
  }
}

// Does what a customer's file may make impossible.  Such a file, which would stop the gateway's start for good, is set
// aside.  Nothing is written in here: a full disk is not the file's fault.
function orAside(path, work) {
  try {
    if (existsSync(path)) return work(path);
  } catch (error) {
    setAside(path, error.message);
  }
}

function setAside(path, why) {
  const aside = `${path}.unreadable-${Date.now()}`;
  renameSync(path, aside);
  log(`${path} was put aside as ${aside}: ${why}`);
}

// The gateway puts its backup, which is the customer's, in the place of a configuration that looks cut to it.
function moveBackup() {
  const backup = `${target}.bak`;
  try {
    renameSync(backup, `${backup}.as-written`);
  } catch {
    attempt(() => rmSync(backup, { recursive: true, force: true }));
  }
}

// Refuses values in which most of the gateway's functions, and those here, would call themselves too often.
function shallow(value, levels = 100) {
  if (!levels) throw new Error("it is nested too deeply");
  if (value instanceof Object) for (const one of Object.values(value)) shallow(one, levels - 1);
  return value;
}

function inside(path) {
  const real = realpathSync(path);
  if (!real.startsWith(realpathSync(folder) + sep)) throw new Error("it is outside the folder of the configuration");
  return real;
}

// Puts the files that the top and the deployment's own sections include in their place, as the gateway would: nothing can
// be taken out of a file that is included.  Other sections keep their `$include`.
function inlined(config) {
  const { $include, ...top } = config;
  const whole = beside($include, top, target);
  for (const section of SECTIONS) if (section in whole) whole[section] = resolved(whole[section], target);
  return whole;
}

function resolved(value, file) {
  if (Array.isArray(value)) return value.map((one) => resolved(one, file));
  if (!isObject(value)) return value;
  const { $include, ...rest } = value;
  const here = Object.fromEntries(Object.entries(rest).map(([key, one]) => [key, resolved(one, file)]));
  return beside($include, here, file);
}

// What stands beside `$include` wins over what is included, and lists are joined.
function beside(names, here, file) {
  const parts = [names ?? []].flat().map((name) => included(name, file));
  return [...parts, here].reduce((all, part) => over(all, part, { joinLists: true }));
}

let room = MOST_BYTES;

// The gateway refuses to start where it cannot read an included file; here such a file counts as empty.
function included(name, file) {
  try {
    const path = inside(resolve(dirname(file), name));
    const text = read(path, room);
    // So there are 64 files at most.
    room -= text.length + 2 ** 15;
    return resolved(shallow(json5.parse(text)), path);
  } catch (error) {
    log(`the included file ${JSON.stringify(name)} was left out: ${error.message}`);
    return {};
  }
}

// Who may say on whose behalf it asks: the proxy, which is the only other container on this network.  Its address is
// Docker's choice, so it is the network without the host's own end, the first address; that one is what callers over IPv6
// come from, and a caller that were trusted as a proxy would be refused.
function neighbours() {
  const own = Object.values(networkInterfaces()).flat().filter((one) => one.family === "IPv4" && !one.internal);
  return own.flatMap(({ address, cidr }) => {
    const prefix = Number(cidr.split("/")[1]);
    const bits = address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
    const network = bits - (bits % 2 ** (32 - prefix));
    const blocks = [];
    for (let length = prefix + 1; length <= 31; length++) {
      const start = network + 2 ** (32 - length);
      blocks.push(`${[24, 16, 8, 0].map((shift) => Math.floor(start / 2 ** shift) % 256).join(".")}/${length}`);
    }
    return blocks;
  });
}

function earlier() {
  try {
    return { ...JSON.parse(read(report)) };
  } catch {
    return {};
  }
}

// Takes the gateway's own variables out of `.env`.  Returns, as `merged` does, what lost and what writes the result.
function ownVariables(path) {
  // The parser's time grows with the square of this.
  const text = read(inside(path), 2 ** 16);
  const isOurs = ([name]) => isOwnVariable(name);
  const entries = (part) => Object.entries(dotenv.parse(part));
  const lost = entries(text).filter(isOurs);
  if (!lost.length) return;
  const kept = text.split(/(?<=[\r\n])/).filter((line) => !entries(line).some(isOurs)).join("");
  // Values may have several lines.
  const others = entries(text).filter((one) => !isOurs(one));
  if (!isDeepStrictEqual(entries(kept), others)) throw new Error("its lines cannot be told apart");
  return { lost: lost.map(([name]) => `.env: ${name}`), save: () => save(path, text, kept) };
}

// Asks the gateway about the configuration as it is written now, which takes seconds.
function isRefused() {
  const { stdout } = spawnSync(process.execPath, ["dist/index.js", "config", "validate", "--json"], { timeout: 60_000 });
  try {
    return JSON.parse(stdout).valid === false;
  } catch {
    return false;
  }
}

// Takes the last configuration that the gateway accepted; where that is refused now, or missing, the deployment's alone.
function withoutRefused() {
  setAside(target, "the gateway refuses it");
  let one;
  for (const path of [join(folder, "clawdet-started.json"), ""]) {
    one = orAside(path, () => merged(read(path))) ?? merged("{}");
    replace(target, one.content);
    if (!isRefused()) break;
  }
  return one;
}

function merged(text) {
  const found = shallow(json5.parse(text));
  if (!isObject(found)) throw new Error("it is not an object");
  const settled = shallow(settle(inlined(found), { proposed, decided }));
  const lost = overruled(found, settled, before.decided);
  const same = isDeepStrictEqual(found, settled);
  // What a program wrote has no comments.
  const keep = lost.length || text.trim() !== JSON.stringify(found, null, 2);
  const content = JSON.stringify(settled, null, 2);
  return { lost, content, save: () => same || save(target, keep && text, content) };
}

function save(path, text, content) {
  if (text) attempt(() => replace(`${path}.as-written`, text));
  replace(path, content);
}

const proposed = deployed("openclaw.defaults.json");
const decided = over(deployed("openclaw.json"), { gateway: { trustedProxies: neighbours() } });
const before = earlier();
attempt(() => chmodSync(folder, 0o700));
moveBackup();
const results = [
  orAside(target, () => merged(read(target))) ?? merged("{}"),
  orAside(join(folder, ".env"), ownVariables) ?? { lost: [], save() {} },
];
for (const one of results) one.save();
if (existsSync(starting) && isRefused()) results.push(withoutRefused());
const lost = results.flatMap((one) => one.lost);
for (const path of lost) log(`${path} is decided by the deployment; the setting in the configuration was overruled`);
const now = { ...before, decided, ...(lost.length ? { overruled: lost, at: new Date() } : {}) };
attempt(() => replace(report, JSON.stringify(now, null, 2)));
attempt(() => replace(starting, readFileSync(target, "utf8")));
