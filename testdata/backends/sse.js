// Server-sent events, each one sent when another request asks for it, so that
// nothing but the event itself can push it through.
'use strict';

const http = require('node:http');

function tell(line) {
  process.stdout.write(JSON.stringify(line) + '\n');
}

let stream;

const server = http.createServer((req, res) => {
  if (req.url === '/events') {
    stream = res;
    res.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache' });
    res.flushHeaders();
    res.on('close', () => tell({ url: 'the stream has ended' }));
    return;
  }
  req.resume();
  req.on('end', () => {
    stream.write(`data: ${req.url}\n\n`);
    res.writeHead(204).end();
  });
});

server.listen(0, '127.0.0.1', () => tell({ listening: server.address().port }));
process.once('SIGTERM', () => process.exit(0));
