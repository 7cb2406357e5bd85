// Keeps what Node makes of the gateway's 2,000 modules, so that the next start need not compile them.
//
// The folder is a volume of this customer and this image alone: what a gateway leaves there is read by no other image and
// no other customer.  It is switched on here and not by NODE_COMPILE_CACHE, which all programs that an assistant starts
// would inherit, and fill the disk with.
import module from "node:module";

const FOLDER = "/var/cache/openclaw";
// A gateway that is killed writes nothing, so it is written once when the start is over.
const WRITTEN_AFTER_MILLISECONDS = 60_000;

try {
    module.enableCompileCache(FOLDER);
    setTimeout(() => module.flushCompileCache?.(), WRITTEN_AFTER_MILLISECONDS).unref();
} catch {
    // Older Node, or a folder that cannot be used: the gateway starts as it would without.
}
