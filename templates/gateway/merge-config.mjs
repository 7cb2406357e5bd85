// Writes the configuration with which the gateway starts, into the customer's own file.
//
// The file belongs to the customer: channels, agents and models are set in the Control UI, which writes it, or by hand.
// What the deployment decides (how the gateway is reached and who may speak to it; settings.mjs has the list) wins at
// every start.  Each setting that lost is named in the log and in `clawdet-settings.json` beside the file, without its
// value.  The file as it was, with its comments, is kept as `openclaw.json.as-written`.  What the deployment merely proposes
// (the model) is written only where the customer has said nothing.

import { copyFileSync, existsSync, readFileSync, realpathSync, renameSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { networkInterfaces } from "node:os";
import { dirname, join, resolve, sep } from "node:path";
import { isDeepStrictEqual } from "node:util";

import { isObject, over, overruled, SECTIONS, settle } from "./settings.mjs";

// The gateway's own parser, so that what it can read is read here.  An image without it does not pass its preflight.
const json5 = createRequire(join(process.cwd(), "package.json"))("json5");

const DEEPEST_INCLUDE = 10;

const target = process.env.OPENCLAW_CONFIG_PATH;
const folder = dirname(target);
const report = join(folder, "clawdet-settings.json");
const log = (text) => console.error("clawdet:", text);
const deployed = (name) => JSON.parse(readFileSync(`/etc/clawdet/${name}`, "utf8"));

function replace(path, content) {
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

// Returns the customer's file as an object.
function own() {
  if (!existsSync(target)) return {};
  try {
    const found = json5.parse(readFileSync(target, "utf8"));
    if (isObject(found)) return found;
  } catch {
    // Falls through: a file that is not JSON5 would stop the gateway's start for good.
  }
  const aside = `${target}.unreadable-${Date.now()}`;
  renameSync(target, aside);
  log(`the configuration was not readable; it was put aside as ${aside}`);
  return {};
}

// Puts the files that the top and the deployment's own sections include in their place, as the gateway would: nothing can
// be taken out of a file that is included.  Other sections keep their `$include`.
function inlined(config) {
  const { $include, ...top } = config;
  const whole = beside($include, top, target, 0);
  for (const section of SECTIONS) if (section in whole) whole[section] = resolved(whole[section], target, 0);
  return whole;
}

function resolved(value, file, depth) {
  if (Array.isArray(value)) return value.map((one) => resolved(one, file, depth));
  if (!isObject(value)) return value;
  const { $include, ...rest } = value;
  const here = Object.fromEntries(Object.entries(rest).map(([key, one]) => [key, resolved(one, file, depth)]));
  return beside($include, here, file, depth);
}

// What stands beside `$include` wins over what is included, and lists are joined.
function beside(names, here, file, depth) {
  const parts = [names ?? []].flat().map((name) => included(name, file, depth + 1));
  return [...parts, here].reduce((all, part) => over(all, part, { joinLists: true }));
}

// The gateway refuses to start where it cannot read an included file; here such a file counts as empty.
function included(name, file, depth) {
  try {
    const path = realpathSync(resolve(dirname(file), name));
    if (!path.startsWith(realpathSync(folder) + sep)) throw new Error("it is outside the folder of the configuration");
    if (depth > DEEPEST_INCLUDE) throw new Error("it is nested too deeply");
    return resolved(json5.parse(readFileSync(path, "utf8")), path, depth);
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
    return { ...JSON.parse(readFileSync(report, "utf8")) };
  } catch {
    return {};
  }
}

function hasComments() {
  try {
    return !JSON.parse(readFileSync(target));
  } catch {
    return existsSync(target);
  }
}

const found = own();
const decided = over(deployed("openclaw.json"), { gateway: { trustedProxies: neighbours() } });
const settled = settle(inlined(found), { proposed: deployed("openclaw.defaults.json"), decided });
const before = earlier();
const lost = overruled(found, settled, before.decided);
if (!isDeepStrictEqual(found, settled)) {
  if (lost.length || hasComments()) attempt(() => copyFileSync(target, `${target}.as-written`));
  replace(target, JSON.stringify(settled, null, 2));
}
for (const path of lost) log(`${path} is decided by the deployment; the setting in the configuration was overruled`);
const now = { ...before, decided, ...(lost.length ? { overruled: lost, at: new Date() } : {}) };
attempt(() => replace(report, JSON.stringify(now, null, 2)));
