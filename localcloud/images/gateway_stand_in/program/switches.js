// What a test asks of the stand-in, in a file that it may write, change and remove while the stand-in runs.
//
// README.md describes the switches.

import { readFileSync } from "node:fs";
import { join } from "node:path";

import { stateFolder } from "./state.js";

export function switches() {
  try {
    return JSON.parse(readFileSync(join(stateFolder(), "stand-in.json"), "utf8")) ?? {};
  } catch {
    // There is no such file, or a test has not finished to write it.
    return {};
  }
}
