// A client that decides about its connections and sessions. It reads lines from
// standard input and writes one for each:
//
//   BASE VERSION NAME KIND PATH    →    STATUS BODY
//
// BASE is https://localhost:PORT; VERSION is TLSv1.2 or TLSv1.3; NAME.key and
// NAME.crt in the current folder are presented, or nothing for "nobody". KIND:
// "new" makes a connection and keeps it, "same" uses that one once more, "resumed"
// makes another with its session. Of a page of the sidecar's own the BODY is the
// reason. When the connection was of another kind, the line says so.
'use strict';

const fs = require('node:fs');
const https = require('node:https');
const readline = require('node:readline');

const kept = new Map(); // by BASE, VERSION and NAME: {agent, session}
const called = { new: 'full handshake', same: 'same connection', resumed: 'session resumed' };
const watched = new WeakSet(); // sockets

function agentFor(version, name) {
  const files = name === 'nobody' ? {} : { key: fs.readFileSync(`${name}.key`), cert: fs.readFileSync(`${name}.crt`) };
  return new https.Agent({
    ...files,
    ca: fs.readFileSync('rootCA.pem'),
    minVersion: version,
    maxVersion: version,
    keepAlive: true,
    maxSockets: 1,
    maxCachedSessions: 0,
    family: 4,
  });
}

function kindOf(req) {
  if (req.reusedSocket) {
    return 'same';
  }
  return req.socket.isSessionReused() ? 'resumed' : 'new';
}

// shown is what an answer comes to in one line.
function shown(body) {
  try {
    const { reason } = JSON.parse(body);
    return reason || body;
  } catch {
    return body;
  }
}

// request tells a connection's session, the last one of those that the server
// offers, to remember.
function request(base, target, options, remember) {
  return new Promise((resolve, reject) => {
    const req = https.request(new URL(target, base), { headers: { Accept: 'application/json' }, ...options }, (res) => {
      const kind = kindOf(req);
      let body = '';
      res.setEncoding('utf8');
      res.on('data', (piece) => { body += piece; });
      res.on('end', () => resolve({ kind, text: `${res.statusCode} ${shown(body.trim())}`.trim() }));
    });
    req.on('error', reject);
    req.on('socket', (socket) => {
      if (!watched.has(socket)) {
        watched.add(socket);
        socket.on('session', remember);
      }
    });
    req.end();
  });
}

async function answer(base, version, name, kind, target) {
  const key = `${base} ${version} ${name}`;
  if (kind === 'new') {
    kept.get(key)?.agent.destroy();
    kept.set(key, { agent: agentFor(version, name) });
  }
  const first = kept.get(key);
  const options = kind === 'resumed' ? { agent: agentFor(version, name), session: first.session } : { agent: first.agent };
  const got = await request(base, target, options, (session) => { first.session = session; });
  if (kind === 'resumed') {
    options.agent.destroy();
  }
  return got.kind === kind ? got.text : `${got.text} (${called[got.kind]})`;
}

async function main() {
  console.log('ready');
  for await (const line of readline.createInterface({ input: process.stdin })) {
    console.log(await answer(...line.split(' ')).catch((err) => err.message));
  }
}

main();
