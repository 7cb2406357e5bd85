// Which settings of the gateway are the deployment's, and how they win over a customer's own file.
//
// Whatever decides how the gateway is reached and who may speak to it is the deployment's.  In the section `gateway` that
// is every setting but those listed here, so a setting that a later release adds is the deployment's until it is listed.

import { isDeepStrictEqual } from "node:util";

const CUSTOMERS_OF_GATEWAY = [
  "cliAgents",
  "controlUi.allowExternalEmbedUrls",
  "controlUi.automaticallyFetchFavicons",
  "controlUi.communityInvite",
  "controlUi.embedSandbox",
  "controlUi.environment",
  "controlUi.experimental",
  "controlUi.github",
  "controlUi.sessionObserver",
  // Each of these answers with the gateway's token only.
  "http.endpoints",
  "nodes.allowSkills",
  "nodes.browser",
  "nodes.commands",
  "nodes.pluginTools",
  "push",
  "tools",
];

// Settings elsewhere that could take the gateway's port or the paths of its API.
const REMOVED = ["hooks.path", "mcp.apps.sandboxPort"];

// The gateway's own variables, and those by which it knows who restarts it, come with the container.
const OWN_VARIABLE = /^\s*(OPENCLAW_|(INVOCATION_ID|JOURNAL_STREAM|SYSTEMD_EXEC_PID)\s*$)/i;

const PLUGIN = "clawdet-handoff";
const PLUGIN_FOLDER = "/etc/clawdet/handoff";

// Sections in which something is removed; files that they include have to be read for that.
export const SECTIONS = ["env", "gateway", "hooks", "mcp", "plugins"];

export const isOwnVariable = (name) => OWN_VARIABLE.test(name);
export const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

// Lays `top` over `base`: objects are merged, anything else of `top` wins; lists are put in the place of lists, or joined.
export function over(base, top, { joinLists = false } = {}) {
  if (joinLists && Array.isArray(base) && Array.isArray(top)) return [...base, ...top];
  if (!isObject(base) || !isObject(top)) return top;
  const merged = { ...base };
  for (const [key, value] of Object.entries(top)) {
    merged[key] = Object.hasOwn(base, key) ? over(base[key], value, { joinLists }) : value;
  }
  return merged;
}

// Returns the configuration with which the gateway starts: what the deployment proposes, the customer's own settings over
// it, and what the deployment decides over both.
export function settle(own, { proposed, decided }) {
  // A proposal beside `$include` would beat the customer's setting in the included file.
  const base = JSON.stringify(own.agents)?.includes('"$include"') ? {} : proposed;
  return withPlugin(over(over(base, customersOwn(own)), decided));
}

// Returns the paths of the customer's settings that did not get into the settled configuration, except those that have the
// value which the deployment decided before, because then it was the deployment that wrote them.
export function overruled(own, settled, before = {}, path = []) {
  return Object.entries(own).flatMap(([key, value]) => {
    const [now, then] = [settled?.[key], isObject(before) ? before[key] : undefined];
    const here = [...path, key];
    if (isDeepStrictEqual(value, now) || isDeepStrictEqual(value, then)) return [];
    if (isObject(value) && isObject(now)) return overruled(value, now, then, here);
    // The deployment adds to lists of the customer.
    if (Array.isArray(value) && Array.isArray(now) && value.every((one) => includes(now, one))) return [];
    return [here.join(".")];
  });
}

function customersOwn(own) {
  const kept = { ...own };
  if (Object.hasOwn(own, "gateway")) kept.gateway = only(own.gateway, CUSTOMERS_OF_GATEWAY);
  if (isObject(own.env)) kept.env = withoutOwnVariables(own.env);
  return REMOVED.reduce((left, path) => without(left, path.split(".")), kept);
}

function only(section, paths) {
  let kept = {};
  for (const path of paths) {
    const keys = path.split(".");
    const value = keys.reduce((part, key) => (isObject(part) ? part[key] : undefined), section);
    if (value !== undefined) kept = over(kept, keys.reduceRight((inner, key) => ({ [key]: inner }), value));
  }
  return kept;
}

function without(config, [key, ...deeper]) {
  if (!isObject(config) || !Object.hasOwn(config, key)) return config;
  const { [key]: value, ...rest } = config;
  return deeper.length ? { ...config, [key]: without(value, deeper) } : rest;
}

function withoutOwnVariables(env) {
  const kept = Object.fromEntries(Object.entries(env).filter(([name]) => !isOwnVariable(name)));
  return isObject(kept.vars) ? { ...kept, vars: withoutOwnVariables(kept.vars) } : kept;
}

// The deployment's own plugin stands beside those of the customer, who cannot turn it off.  The gateway compares ids of
// plugins in lower case, and of two with the same id it takes the one that it is shown first.
function withPlugin(config) {
  const { enabled, deny, allow, load, entries, ...rest } = isObject(config.plugins) ? config.plugins : {};
  const isOwn = (id) => typeof id === "string" && id.trim().toLowerCase() === PLUGIN;
  const others = Object.entries(isObject(entries) ? entries : {}).filter(([id]) => !isOwn(id));
  const paths = (Array.isArray(load?.paths) ? load.paths : []).filter((path) => path !== PLUGIN_FOLDER);
  return {
    ...config,
    plugins: {
      ...rest,
      ...(enabled === undefined ? {} : { enabled: true }),
      ...(Array.isArray(deny) ? { deny: deny.filter((id) => !isOwn(id)) } : {}),
      ...(Array.isArray(allow) ? { allow: withOne(allow, PLUGIN) } : {}),
      load: { ...(isObject(load) ? load : {}), paths: [PLUGIN_FOLDER, ...paths] },
      entries: { ...Object.fromEntries(others), [PLUGIN]: { enabled: true } },
    },
  };
}

const includes = (list, value) => list.some((one) => isDeepStrictEqual(one, value));
const withOne = (list, value) => (includes(list, value) ? list : [...list, value]);
