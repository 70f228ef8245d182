// Every host name is this machine, so that @qlik/api itself stays unmodified. The CommonJS module object is what
// Node's sockets read `lookup` from at each connection.
import { createRequire } from "node:module";

const dns = createRequire(import.meta.url)("node:dns");

dns.lookup = (_hostname, options, callback) => {
  const done = typeof options === "function" ? options : callback;
  if (typeof options === "object" && options.all) {
    done(null, [{ address: "127.0.0.1", family: 4 }]);
  } else {
    done(null, "127.0.0.1", 4);
  }
};
