// A WebSocket application: it tells of every handshake and every end, sends each
// message back as it came, and does as it is told by a few.
'use strict';

const http = require('node:http');
const { WebSocketServer } = require('ws');

function tell(line) {
  process.stdout.write(JSON.stringify(line) + '\n');
}

const server = http.createServer((req, res) => res.end('no tunnel'));
const sockets = new WebSocketServer({ server, perMessageDeflate: { threshold: 1024 } });

sockets.on('connection', (socket, req) => {
  tell({ method: req.method, url: req.url, httpVersion: req.httpVersion, rawHeaders: req.rawHeaders });
  socket.on('message', (data, isBinary) => {
    const order = isBinary ? '' : data.toString();
    if (order === 'ping me') {
      socket.ping('are you there');
    } else if (order.startsWith('close me ')) {
      socket.close(Number(order.slice('close me '.length)), 'as you wish');
    } else {
      socket.send(data, { binary: isBinary });
    }
  });
  socket.on('pong', (data) => socket.send('pong: ' + data));
  socket.on('close', (code, reason) => tell({ url: req.url, closed: code, reason: reason.toString() }));
  socket.on('error', (error) => tell({ url: req.url, error: error.message }));
});

server.listen(0, '127.0.0.1', () => tell({ listening: server.address().port }));
process.once('SIGTERM', () => process.exit(0));
