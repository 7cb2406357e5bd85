// A stand-in for the OpenClaw gateway. README.md says what it is for and how tests change what it does.

import { parseArgs } from "node:util";

import { checkAccess, gatewayToken, loadConfiguration } from "./configuration.js";
import { loadEnvironment } from "./environment.js";
import { Ingress } from "./ingress.js";
import { log, StartError } from "./log.js";
import { loadPlugins } from "./plugins.js";
import { startChannels } from "./readiness.js";
import { makeServer } from "./server.js";
import { acceptSockets } from "./sockets.js";
import { openState } from "./state.js";

const release = Number(process.env.GATEWAY_STAND_IN_RELEASE ?? 1);
const version = `${release}.0.0-stand-in`;

const configurationPath = () => process.env.OPENCLAW_CONFIG_PATH ?? `${process.env.HOME}/.openclaw/openclaw.json`;

function validate() {
  try {
    loadConfiguration(configurationPath());
    console.log(JSON.stringify({ valid: true }));
  } catch (error) {
    console.log(JSON.stringify({ valid: false, issues: [{ message: error.message }] }));
    process.exitCode = 1;
  }
}

async function run() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { bind: { type: "string" }, port: { type: "string" }, json: { type: "boolean" } },
  });
  if (positionals.join(" ") === "config validate") return validate();
  if (positionals[0] !== "gateway") throw new StartError(`unknown command ${positionals[0] ?? ""}`);
  loadEnvironment();
  const configuration = loadConfiguration(configurationPath());
  log("loading configuration…");
  const { gateway, channels, plugins } = configuration;
  const bind = values.bind ?? gateway.bind ?? "loopback";
  const token = gatewayToken(configuration);
  checkAccess(configuration, bind, token);
  log("starting...");
  const giveBack = openState(release);
  const ingress = new Ingress(token, gateway.trustedProxies);
  const routes = await loadPlugins(plugins);
  const { controlUi, tls } = gateway;
  const server = makeServer({ ingress, routes, version, controlUi, hooks: configuration.hooks, tls: tls?.enabled === true });
  const sockets = acceptSockets(server, { ingress, allowedOrigins: controlUi?.allowedOrigins, version });
  startChannels(channels);
  const port = Number(values.port ?? gateway.port ?? 18789);
  server.listen(port, bind === "loopback" ? "127.0.0.1" : "0.0.0.0", () => log(`http server listening on port ${port}`));
  for (const signal of ["SIGTERM", "SIGINT"]) {
    process.once(signal, () => {
      for (const one of sockets.clients) one.terminate();
      server.closeAllConnections();
      server.close();
      giveBack();
      log("completed cleanly", "shutdown");
      process.exit(0);
    });
  }
}

run().catch((error) => {
  console.error(error instanceof StartError ? error.message : error);
  process.exit(error.exitCode ?? 1);
});
