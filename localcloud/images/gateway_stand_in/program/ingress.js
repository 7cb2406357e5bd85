// Who asks, and whether they know the token.

import { timingSafeEqual } from "node:crypto";
import { BlockList, isIPv6 } from "node:net";

const FORWARDED = ["forwarded", "x-forwarded-for", "x-real-ip", "x-forwarded-host", "x-forwarded-proto"];

export class Ingress {
  #token;
  #proxies = new BlockList();

  constructor(token, trustedProxies = []) {
    this.#token = Buffer.from(token);
    for (const one of trustedProxies) {
      const [address, prefix] = one.split("/");
      const family = isIPv6(address) ? "ipv6" : "ipv4";
      if (prefix) this.#proxies.addSubnet(address, Number(prefix), family);
      else this.#proxies.addAddress(address, family);
    }
  }

  // "local" for a process beside the gateway, "remote" for others, "unattributable" for a proxy that is not trusted.
  origin(request) {
    const peer = request.socket.remoteAddress?.replace(/^::ffff:/, "") ?? "";
    const forwarded = FORWARDED.some((name) => name in request.headers);
    if (forwarded) return this.#proxies.check(peer, isIPv6(peer) ? "ipv6" : "ipv4") ? "remote" : "unattributable";
    return peer === "::1" || peer.startsWith("127.") ? "local" : "remote";
  }

  knowsToken(request) {
    const [, shown] = /^Bearer (.+)$/i.exec(request.headers.authorization ?? "") ?? [];
    return shown !== undefined && this.isToken(shown);
  }

  isToken(shown) {
    const given = Buffer.from(String(shown));
    return given.length === this.#token.length && timingSafeEqual(given, this.#token);
  }
}
