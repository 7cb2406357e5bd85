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
export async function loadPlugins({ load = {}, entries = {}, allow } = {}) {
  const routes = new Map();
  for (const folder of load.paths ?? []) {
    const { id } = JSON.parse(readFileSync(join(folder, "openclaw.plugin.json"), "utf8"));
    if (entries[id]?.enabled === false || (allow && !allow.includes(id))) continue;
    const { default: plugin } = await import(pathToFileURL(join(folder, "index.mjs")));
    await plugin.register({ registerHttpRoute: (route) => routes.set(route.path, route) });
    log(`loaded plugin ${id}`, "plugins");
  }
  return routes;
}
