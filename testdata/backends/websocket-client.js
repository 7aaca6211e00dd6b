// A WebSocket client with a certificate.
//
//   node websocket-client.js wss://localhost:PORT FOLDER
//
// FOLDER holds client.key, client.crt and ca.crt. It goes through everything that
// a client does and prints one JSON line for each step that succeeded; whatever
// else happens ends it with an error.
'use strict';

const assert = require('node:assert');
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { once } = require('node:events');
const WebSocket = require('ws');

const [base, folder] = process.argv.slice(2);
const read = (name) => fs.readFileSync(path.join(folder, name));
const options = { key: read('client.key'), cert: read('client.crt'), ca: read('ca.crt'), family: 4 };

function done(step) {
  process.stdout.write(JSON.stringify({ step }) + '\n');
}

async function open(target, more) {
  const socket = new WebSocket(base + target, { ...options, ...more });
  await once(socket, 'open');
  return socket;
}

// echoed sends a message and wants the same back, of the same kind.
async function echoed(socket, message) {
  const answer = once(socket, 'message');
  socket.send(message);
  const [data, isBinary] = await answer;
  assert.strictEqual(isBinary, Buffer.isBuffer(message));
  assert.ok(data.equals(Buffer.from(message)), 'the echo differs');
}

async function messages() {
  for (const perMessageDeflate of [false, true]) {
    const socket = await open('/messages', { perMessageDeflate });
    await echoed(socket, 'text, grüße, \u0000');
    await echoed(socket, '');
    await echoed(socket, crypto.randomBytes(125));
    await echoed(socket, crypto.randomBytes(1 << 20));
    await echoed(socket, 'x'.repeat(1 << 20));
    const fragments = once(socket, 'message');
    socket.send('in three ', { fin: false });
    socket.send('fragments ', { fin: false });
    socket.send('sent', { fin: true });
    assert.strictEqual((await fragments)[0].toString(), 'in three fragments sent');
    const pong = once(socket, 'pong');
    socket.ping('ping');
    assert.strictEqual((await pong)[0].toString(), 'ping');
    const asked = Promise.all([once(socket, 'ping'), once(socket, 'message')]);
    socket.send('ping me');
    const [[ping], [told]] = await asked;
    assert.strictEqual(ping.toString(), 'are you there');
    assert.strictEqual(told.toString(), 'pong: are you there');
    const closed = once(socket, 'close');
    socket.close(1000, 'done');
    const [code, reason] = await closed;
    assert.deepStrictEqual([code, reason.toString()], [1000, 'done']);
  }
  done('messages');
}

async function closing() {
  const first = await open('/closed-by-server');
  const byServer = once(first, 'close');
  first.send('close me 4001');
  const [code, reason] = await byServer;
  assert.deepStrictEqual([code, reason.toString()], [4001, 'as you wish']);
  const second = await open('/closed-by-client');
  const byClient = once(second, 'close');
  second.close(4002, 'enough');
  assert.strictEqual((await byClient)[0], 4002);
  const third = await open('/torn');
  third.terminate();
  done('closing');
}

async function many() {
  const sockets = await Promise.all(Array.from({ length: 40 }, () => open('/many')));
  for (let i = 0; i < 25; i++) {
    await Promise.all(sockets.map((socket) => echoed(socket, crypto.randomBytes(1 + (i * 977) % 40000))));
  }
  await Promise.all(sockets.map((socket) => {
    const closed = once(socket, 'close');
    socket.close();
    return closed;
  }));
  done('many');
}

messages().then(closing).then(many).catch((error) => {
  console.error(error);
  process.exit(1);
});
