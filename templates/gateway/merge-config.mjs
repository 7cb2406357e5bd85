// Lays the settings of the deployment over those that the customer made in the gateway's own configuration.
//
// The file belongs to the customer: channels, agents and models are set in the Control UI, which writes it.  What the
// deployment decides (how the gateway is reached and who may speak to it) wins at every start; what it merely proposes
// (the model) is written only where the customer has said nothing.

import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { networkInterfaces } from "node:os";

const target = process.env.OPENCLAW_CONFIG_PATH;
const read = (path) => JSON.parse(readFileSync(path, "utf8"));
const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

function over(base, top) {
  if (!isObject(base) || !isObject(top)) return top;
  const merged = { ...base };
  for (const [key, value] of Object.entries(top)) {
    merged[key] = key in base ? over(base[key], value) : value;
  }
  return merged;
}

function own() {
  if (!existsSync(target)) return {};
  try {
    const found = read(target);
    if (isObject(found)) return found;
  } catch {
    // Falls through: a file that is not JSON would stop the gateway's start for good.
  }
  const aside = `${target}.unreadable-${Date.now()}`;
  renameSync(target, aside);
  console.error(`The configuration was not readable as JSON; it was put aside as ${aside}.`);
  return {};
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

// The deployment's own plugin stands beside those of the customer, so their lists are added to.
function withHandoff(config) {
  const add = (list, one) => (list?.includes(one) ? list : [...(list ?? []), one]);
  const { plugins = {} } = config;
  const { load = {}, entries = {}, allow } = plugins;
  return {
    ...config,
    plugins: {
      ...plugins,
      load: { ...load, paths: add(load.paths, "/etc/clawdet/handoff") },
      ...(allow ? { allow: add(allow, "clawdet-handoff") } : {}),
      entries: { ...entries, "clawdet-handoff": { ...entries["clawdet-handoff"], enabled: true } },
    },
  };
}

const decided = over(read("/etc/clawdet/openclaw.json"), { gateway: { trustedProxies: neighbours() } });
const proposed = read("/etc/clawdet/openclaw.defaults.json");
const merged = `${JSON.stringify(withHandoff(over(over(proposed, own()), decided)), null, 2)}\n`;
if (!existsSync(target) || readFileSync(target, "utf8") !== merged) {
  writeFileSync(`${target}.new`, merged, { mode: 0o600 });
  renameSync(`${target}.new`, target);
}
