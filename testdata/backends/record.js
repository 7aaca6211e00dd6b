// What the application saw, told to whoever started it: one JSON line on
// standard output when it listens, and one for each request once its body has
// ended. Nothing here looks at requests through the framework, whose parsers
// could hide or rename what arrived.
'use strict';

const crypto = require('node:crypto');

function tell(line) {
  process.stdout.write(JSON.stringify(line) + '\n');
}

// record watches the body pass by: push is what node's parser calls with each
// piece and, at the end, with null. Listening for 'data' instead would start
// the stream before the framework is ready for it.
function record(req) {
  const hash = crypto.createHash('sha256');
  let bytes = 0;
  const push = req.push;
  req.push = function (chunk, encoding) {
    if (chunk === null) {
      tell({
        method: req.method,
        url: req.url,
        httpVersion: req.httpVersion,
        rawHeaders: req.rawHeaders,
        bodyBytes: bytes,
        bodySHA256: hash.digest('hex'),
      });
    } else {
      bytes += chunk.length;
      hash.update(chunk);
    }
    return push.call(this, chunk, encoding);
  };
}

// serve makes the server (node:http's) tell of every request and listen on a
// loopback port that the kernel chooses.
function serve(server) {
  server.prependListener('request', record);
  server.listen(0, '127.0.0.1', () => tell({ listening: server.address().port }));
  process.once('SIGTERM', () => process.exit(0));
}

module.exports = { serve };
