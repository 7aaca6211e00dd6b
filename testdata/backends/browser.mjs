// A web application for a real browser: a page that finds out by itself what
// works, and writes it into the document. It tells of every request with its
// identity, and of every WebSocket.

import http from 'node:http';
import { WebSocketServer } from 'ws';

function tell(line) {
  process.stdout.write(JSON.stringify(line) + '\n');
}

// The picture comes when the page has reported, and holds back its load event.
let finished = [];
let stream;

const page = `<!DOCTYPE html>
<meta charset="utf-8">
<title>A page behind a sidecar</title>
<ul id="results"></ul>
<img src="/finished" alt="">
<script>
const results = [];
function show(name, value) {
  const item = document.createElement('li');
  item.id = name;
  item.textContent = value;
  document.getElementById('results').append(item);
}
const protocol = (entry) => entry.nextHopProtocol;
const fetched = (path) => performance.getEntriesByName(new URL(path, location).href).map(protocol).join();

async function upload() {
  const sent = new Uint8Array(300000).map((_, i) => i * 31 ^ i >> 8);
  const answer = await fetch('/echo', { method: 'POST', body: sent });
  const got = new Uint8Array(await answer.arrayBuffer());
  const same = got.length === sent.length && got.every((byte, i) => byte === sent[i]);
  show('upload', answer.status + ' ' + (same ? 'same' : 'different') + ' ' + answer.headers.get('x-saw') + ' ' + fetched('/echo'));
}

async function cookies() {
  document.cookie = 'one=1';
  document.cookie = 'two=2';
  show('cookies', await (await fetch('/cookies')).text());
}

async function many() {
  const answers = await Promise.all(Array.from({ length: 60 }, (_, i) => fetch('/number/' + i).then((answer) => answer.text())));
  show('many', answers.filter((text, i) => text === String(i)).length);
}

// events are sent one by one, when the one before has been seen.
function events() {
  return new Promise((resolve, reject) => {
    const seen = [];
    const source = new EventSource('/events');
    source.onerror = () => reject(new Error('the event stream broke'));
    source.onmessage = (event) => {
      seen.push(event.data);
      if (seen.length === 5) {
        source.close();
        show('events', seen.join());
        resolve();
      } else {
        fetch('/event/' + seen.length, { method: 'POST' });
      }
    };
  });
}

function socket() {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket('wss://' + location.host + '/socket');
    socket.onerror = () => reject(new Error('the WebSocket broke'));
    socket.onopen = () => socket.send('grüße');
    socket.onmessage = (event) => {
      show('socket', event.data);
      socket.close(1000, 'done');
    };
    socket.onclose = (event) => {
      show('closed', event.code + ' ' + event.wasClean);
      resolve();
    };
  });
}

async function main() {
  show('page', protocol(performance.getEntriesByType('navigation')[0]));
  for (const step of [upload, cookies, many, events, socket]) {
    await step().catch((error) => show(step.name, 'failed: ' + error));
  }
  await fetch('/report', { method: 'POST' });
}
main();
</script>
<p id="identity">IDENTITY</p>
`;

function identity(req) {
  return `${req.headers.verified} ${req.headers.dn}`;
}

function read(req, then) {
  const pieces = [];
  req.on('data', (piece) => pieces.push(piece));
  req.on('end', () => then(Buffer.concat(pieces)));
}

const server = http.createServer((req, res) => {
  tell({ method: req.method, url: req.url, httpVersion: req.httpVersion, rawHeaders: req.rawHeaders });
  res.setHeader('x-saw', identity(req));
  const [, name, argument] = req.url.split('/');
  switch (name) {
    case '':
      res.writeHead(200, { 'Content-Type': 'text/html' }).end(page.replace('IDENTITY', identity(req)));
      break;
    case 'echo':
      read(req, (body) => res.end(body));
      break;
    case 'cookies':
      res.end(req.rawHeaders.filter((_, i) => i % 2 === 1 && /^cookie$/i.test(req.rawHeaders[i - 1])).join(' and '));
      break;
    case 'number':
      res.end(argument);
      break;
    case 'events':
      stream = res;
      res.writeHead(200, { 'Content-Type': 'text/event-stream' }).write('data: 0\n\n');
      break;
    case 'event':
      stream.write(`data: ${argument}\n\n`);
      res.writeHead(204).end();
      break;
    case 'finished':
      finished.push(res);
      break;
    case 'report':
      res.writeHead(204).end();
      finished.forEach((waiting) => waiting.writeHead(204).end());
      finished = [];
      break;
    default:
      res.writeHead(404).end();
  }
});

const sockets = new WebSocketServer({ server });
sockets.on('connection', (socket, req) => {
  tell({ method: req.method, url: req.url, httpVersion: req.httpVersion, rawHeaders: req.rawHeaders });
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
});

server.listen(0, '127.0.0.1', () => tell({ listening: server.address().port }));
process.once('SIGTERM', () => process.exit(0));
