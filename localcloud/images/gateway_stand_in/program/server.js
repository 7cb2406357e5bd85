// The HTTP side of the gateway: probes, the API that takes the token, routes of plugins, and the page.

import { createServer } from "node:http";
import { createServer as createTlsServer } from "node:https";

import { readiness, startup } from "./readiness.js";
import { switches } from "./switches.js";

const PROBES = {
  "/health": live,
  "/healthz": live,
  "/ready": ready,
  "/readyz": ready,
  "/startup": started,
  "/startupz": started,
};
const NOT_FOUND = /^\/(api|v1|assets|plugins)\//;
const SECURITY = { "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer" };
const MOST_BYTES = 2 * 1024 * 1024;
const PAGE = `<!doctype html>
<html data-openclaw-control-ui-base-path="" lang="en">
  <head><meta charset="UTF-8" /><title>OpenClaw Control</title></head>
  <body><openclaw-app>A stand-in for the OpenClaw gateway.</openclaw-app></body>
</html>
`;

// With `tls` nobody who speaks plain HTTP gets an answer; the stand-in has no certificate for the others.
export function makeServer({ tls, ...parts }) {
  return (tls ? createTlsServer : createServer)(async (request, response) => {
    if (switches().hang) return;
    try {
      await answer(request, response, parts);
    } catch (error) {
      if (!response.headersSent) json(response, 500, failure(error.message, "internal_error"));
    }
  });
}

async function answer(request, response, { ingress, routes, version, controlUi = {}, hooks = {} }) {
  for (const [name, value] of Object.entries(SECURITY)) response.setHeader(name, value);
  const { pathname } = new URL(request.url, "http://localhost");
  const origin = ingress.origin(request);
  const probe = PROBES[pathname];
  // Whether the gateway lives may be asked by anything that reaches it.
  if (probe === live) return answerProbe(request, response, live());
  if (origin === "unattributable") return json(response, 403, UNATTRIBUTABLE);
  const known = ingress.knowsToken(request);
  if (probe) return answerProbe(request, response, probe(origin === "local" || known, version));
  const hooksPath = hooks.path ?? "/hooks";
  if (hooks.enabled === true && (pathname === hooksPath || pathname.startsWith(`${hooksPath}/`))) {
    return text(response, 401, "Unauthorized");
  }
  if (pathname === "/tools/invoke") return invoke(request, response, known);
  if (pathname === "/control-ui-config.json") {
    if (!known) return json(response, 401, UNAUTHORIZED);
    return json(response, 200, { basePath: "", assistantAgentId: "main", serverVersion: version });
  }
  const route = routes.get(pathname);
  if (route) {
    if (route.auth === "gateway" && !known) return json(response, 401, UNAUTHORIZED);
    return route.handler(request, response);
  }
  const page = controlUi.enabled !== false && `${pathname}/`.startsWith(`${controlUi.basePath ?? ""}/`);
  if ((request.method !== "GET" && request.method !== "HEAD") || NOT_FOUND.test(pathname) || !page) {
    return text(response, 404, "Not Found");
  }
  send(response, 200, "text/html", PAGE, { "Cache-Control": "no-cache" });
}

function live() {
  return [200, { ok: true, status: "live" }];
}

function ready(detailed) {
  const found = readiness();
  return [found.ready ? 200 : 503, detailed ? found : { ready: found.ready }];
}

function started(detailed, version) {
  const { ok, status, uptimeMs } = startup();
  const details = detailed ? { version, uptimeMs, ...(ok ? {} : { pendingReason: "startup-sidecars" }) } : {};
  return [ok ? 200 : 503, { ok, status, ...details }];
}

function answerProbe(request, response, [status, body]) {
  if (request.method !== "GET" && request.method !== "HEAD") {
    return text(response, 405, "Method Not Allowed", { Allow: "GET, HEAD" });
  }
  json(response, status, body, { "Cache-Control": "no-store" });
}

async function invoke(request, response, known) {
  if (request.method !== "POST") return text(response, 405, "Method Not Allowed", { Allow: "POST" });
  if (!known) return json(response, 401, UNAUTHORIZED);
  let asked;
  try {
    asked = JSON.parse((await body(request)) || "{}");
  } catch (error) {
    return json(response, 400, failure(error.message, "invalid_request_error"));
  }
  const { tool } = asked;
  if (!tool) {
    const error = { type: "invalid_request", message: "tools.invoke requires name" };
    return json(response, 400, { ok: false, error });
  }
  if (tool !== "sessions_list") {
    return json(response, 404, { ok: false, error: { type: "not_found", message: `Tool not available: ${tool}` } });
  }
  const details = { count: 0, sessions: [], hasMore: false, limitApplied: 100 };
  const content = [{ type: "text", text: JSON.stringify(details, null, 2) }];
  json(response, 200, { ok: true, result: { content, details } });
}

async function body(request) {
  const parts = [];
  let size = 0;
  for await (const part of request) {
    size += part.length;
    if (size > MOST_BYTES) throw new Error("Payload too large");
    parts.push(part);
  }
  return Buffer.concat(parts).toString();
}

function json(response, status, content, headers) {
  send(response, status, "application/json", JSON.stringify(content), headers);
}

function text(response, status, content, headers) {
  send(response, status, "text/plain", content, headers);
}

function send(response, status, type, content, headers = {}) {
  const length = Buffer.byteLength(content);
  response.writeHead(status, { "Content-Type": `${type}; charset=utf-8`, "Content-Length": length, ...headers });
  response.end(content);
}

function failure(message, type) {
  return { error: { message, type } };
}

const UNAUTHORIZED = failure("Unauthorized", "unauthorized");
const UNATTRIBUTABLE = failure(
  "Proxy client attribution is required. Configure gateway.trustedProxies narrowly and make the proxy overwrite or " +
    "safely rebuild forwarded client headers.",
  "proxy_attribution_required",
);
