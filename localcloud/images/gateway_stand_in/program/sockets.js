// The WebSocket side of the gateway, as far as a client gets that connects: a challenge, then a greeting or a refusal.

import { randomUUID } from "node:crypto";

import { WebSocketServer } from "ws";

import { switches } from "./switches.js";

const POLICY_VIOLATION = 1008;
const CONTROL_UI = "openclaw-control-ui";
const REFUSALS = {
  CONTROL_UI_ORIGIN_NOT_ALLOWED:
    "origin not allowed (open the Control UI from the gateway host or allow it in gateway.controlUi.allowedOrigins)",
  CONTROL_UI_DEVICE_IDENTITY_REQUIRED: "control ui requires device identity (use HTTPS or localhost secure context)",
  DEVICE_IDENTITY_REQUIRED: "device identity required",
  AUTH_TOKEN_MISMATCH:
    "unauthorized: gateway token mismatch (use this gateway's gateway.auth.token or pair the device)",
};

export function acceptSockets(server, { ingress, allowedOrigins = [], version }) {
  const sockets = new WebSocketServer({ noServer: true, maxPayload: 1024 * 1024 });
  server.on("upgrade", (request, socket, head) => {
    if (switches().hang) return;
    if (ingress.origin(request) === "unattributable") {
      socket.end("HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
      return;
    }
    sockets.handleUpgrade(request, socket, head, (opened) => greet(opened, request));
  });

  function greet(opened, request) {
    const send = (frame) => opened.send(JSON.stringify(frame));
    send({ type: "event", event: "connect.challenge", payload: { nonce: randomUUID(), ts: Date.now() } });
    opened.on("error", () => opened.terminate());
    opened.on("message", (data) => {
      let frame;
      try {
        frame = JSON.parse(data);
      } catch {
        return opened.close(POLICY_VIOLATION, "invalid frame");
      }
      if (frame.method !== "connect") return opened.close(POLICY_VIOLATION, "invalid request frame");
      const code = refusal(frame.params ?? {}, request.headers.origin);
      if (code === undefined) {
        const payload = { type: "hello-ok", protocol: 4, server: { version, connId: randomUUID() } };
        return send({ type: "res", id: frame.id, ok: true, payload });
      }
      const message = REFUSALS[code];
      send({ type: "res", id: frame.id, ok: false, error: { code: "INVALID_REQUEST", message, details: { code } } });
      opened.close(POLICY_VIOLATION, message);
    });
  }

  function refusal({ client, device, auth }, origin) {
    if (client?.id === CONTROL_UI) {
      if (!allowedOrigins.includes(origin)) return "CONTROL_UI_ORIGIN_NOT_ALLOWED";
      if (!device) return "CONTROL_UI_DEVICE_IDENTITY_REQUIRED";
    }
    if (auth?.token === undefined) return "DEVICE_IDENTITY_REQUIRED";
    return ingress.isToken(auth.token) ? undefined : "AUTH_TOKEN_MISMATCH";
  }

  return sockets;
}
