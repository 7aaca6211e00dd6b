// A Node server that closes idle connections soon.
//
//   node keepalive.js MILLISECONDS announced|silent
//
// silent: it does not say so in Keep-Alive, as behind many frameworks and
// proxies. It tells how many connections it has had when asked for /connections.
'use strict';

const http = require('node:http');

const [timeout, manner] = process.argv.slice(2);
let connections = 0;

const server = http.createServer((req, res) => {
  // Newer releases wait a second longer than they say; this one must not.
  res.on('finish', () => req.socket.setTimeout(server.keepAliveTimeout));
  req.resume();
  req.on('end', () => {
    if (manner === 'silent') {
      res.setHeader('Connection', 'keep-alive'); // node adds Keep-Alive only to its own
    }
    res.end(req.url === '/connections' ? String(connections) : 'ok');
  });
});
server.keepAliveTimeout = Number(timeout);
server.on('connection', () => { connections++; });
server.listen(0, '127.0.0.1', () => process.stdout.write(JSON.stringify({ listening: server.address().port }) + '\n'));
process.once('SIGTERM', () => process.exit(0));
