// Writes the log to the standard output, each line as the gateway writes it.

export function log(text, source = "gateway") {
  console.log(`${new Date().toISOString().replace("Z", "+00:00")} [${source}] ${text}`);
}

// What keeps a gateway from starting has an exit code of its own (EX_CONFIG), by which supervisors know that another
// attempt would end the same way.
export class StartError extends Error {
  exitCode = 78;
}
