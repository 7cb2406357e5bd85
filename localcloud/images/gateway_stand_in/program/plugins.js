// Loads plugins from the paths in the configuration, and gives them the plugin SDK under its public name.

import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import { log } from "./log.js";

const SDK = /^openclaw\/(plugin-sdk\/[\w-]+)$/;

registerHooks({
  resolve(specifier, context, next) {
    const [, inside] = SDK.exec(specifier) ?? [];
    return inside ? { url: new URL(`./${inside}.js`, import.meta.url).href, shortCircuit: true } : next(specifier, context);
  },
});

// Returns the HTTP routes of all plugins, by path.
export async function loadPlugins({ enabled = true, load = {}, entries = {}, allow = [], deny = [] } = {}) {
  const [routes, ids] = [new Map(), new Set()];
  if (!enabled) return routes;
  const has = (list, id) => list.some((one) => one.trim().toLowerCase() === id);
  const off = Object.keys(entries).filter((id) => entries[id]?.enabled === false);
  for (const folder of load.paths ?? []) {
    const { id } = JSON.parse(readFileSync(join(folder, "openclaw.plugin.json"), "utf8"));
    // The first one of an id counts.
    if (ids.has(id) || has(off, id) || has(deny, id) || (allow.length && !has(allow, id))) continue;
    ids.add(id);
    const { default: plugin } = await import(pathToFileURL(join(folder, "index.mjs")));
    const logger = Object.fromEntries(["debug", "info", "warn", "error"].map((level) => [level, (text) => log(text, "plugins")]));
    await plugin.register({ logger, registerHttpRoute: (route) => routes.set(route.path, route) });
    log(`loaded plugin ${id}`, "plugins");
  }
  return routes;
}
