// A client with a certificate over node's own HTTP/2.
//
//   node http2-client.mjs https://localhost:PORT FOLDER STEP…
//
// FOLDER holds client.key, client.crt and ca.crt. It takes the steps in turn and
// prints one JSON line for each that succeeded; whatever else happens ends it
// with an error. All but a few steps share one connection.

import assert from 'node:assert';
import fs from 'node:fs';
import http2 from 'node:http2';
import https from 'node:https';
import path from 'node:path';
import tls from 'node:tls';
import { once } from 'node:events';

const [base, folder, ...wanted] = process.argv.slice(2);
const read = (name) => fs.readFileSync(path.join(folder, name));
const options = { key: read('client.key'), cert: read('client.crt'), ca: read('ca.crt'), family: 4 };
const told = 'SUCCESS CN=client,O=Acme';

let session;

// pattern is the application's: n bytes that tell of any part missing or moved.
function pattern(n) {
  const bytes = Buffer.alloc(n);
  for (let i = 0; i < n; i++) {
    bytes[i] = i ^ Math.imul(i >> 8, 7) ^ Math.imul(i >> 16, 13);
  }
  return bytes;
}

// all reads a stream to its end.
async function all(stream) {
  const pieces = [];
  for await (const piece of stream) {
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

// opened sends a request and resolves with the head of its answer.
async function opened(headers, body, more) {
  const stream = session.request(headers, { endStream: body === undefined, ...more });
  if (body !== undefined) {
    stream.end(body);
  }
  const [answer] = await once(stream, 'response');
  return { stream, answer };
}

async function asked(headers, body) {
  const { stream, answer } = await opened(headers, body);
  return { answer, body: await all(stream) };
}

async function bodies() {
  for (const n of [0, 1, 64 << 10, 8 << 20]) {
    const sent = pattern(n);
    const got = await asked({ ':path': `/bytes?n=${n}` });
    assert.ok(got.body.equals(sent), `GET of ${n} bytes gave ${got.body.length}`);
    for (const method of ['POST', 'PUT']) {
      for (const target of ['/echo', '/echo?chunked']) {
        const headers = { ':method': method, ':path': target };
        if (target === '/echo') {
          headers['content-length'] = n;
        }
        const { answer, body } = await asked(headers, sent);
        assert.deepStrictEqual([answer[':status'], answer['x-saw'], answer['x-method']], [200, told, method]);
        assert.ok(body.equals(sent), `${method} ${target} of ${n} bytes gave ${body.length}`);
      }
    }
  }
}

async function together() {
  const numbers = Array.from({ length: 100 }, (_, i) => i);
  await Promise.all(numbers.map(async (i) => {
    const { answer, body } = await asked({ ':path': `/together?name=node&n=100&i=${i}` });
    assert.deepStrictEqual([body.toString(), answer['x-saw']], [`together ${i}`, told]);
  }));
}

// early is answered while the upload goes on, which then is of no use to anybody.
async function early() {
  for (const status of [413, 401]) {
    const stream = session.request({ ':method': 'POST', ':path': `/early/${status}` });
    stream.write(pattern(64 << 10));
    const [answer] = await once(stream, 'response');
    assert.strictEqual(answer[':status'], status);
    assert.strictEqual((await all(stream)).toString().trim(), 'enough');
    stream.close(http2.constants.NGHTTP2_NO_ERROR);
  }
  assert.strictEqual((await asked({ ':path': '/' })).body.toString(), 'hello');
}

async function events() {
  const { stream } = await opened({ ':path': '/events?name=events+of+node' });
  stream.setEncoding('utf8');
  const pieces = stream[Symbol.asyncIterator]();
  for (let i = 0; i < 20; i++) {
    if (i > 0) {
      assert.strictEqual((await asked({ ':method': 'POST', ':path': '/event?name=events+of+node' })).answer[':status'], 204);
    }
    let text = '';
    while (!text.endsWith('\n\n')) {
      text += (await pieces.next()).value;
    }
    assert.strictEqual(text, `data: event ${i}\n\n`); // no later one came with it
  }
  stream.close(http2.constants.NGHTTP2_CANCEL);
}

async function trailers() {
  const stream = session.request({ ':method': 'POST', ':path': '/trailers', trailer: 'x-sum' }, { waitForTrailers: true, endStream: false });
  stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': 'eight' }));
  const got = once(stream, 'trailers');
  stream.end('the body');
  assert.strictEqual((await all(stream)).toString(), 'the body');
  const [trailer] = await got;
  assert.deepStrictEqual([trailer['x-sum'], trailer['x-late']], ['eight', 'at the end']);
}

async function bare() {
  for (const [method, target, status] of [['HEAD', '/', 200], ['GET', '/status/204', 204], ['GET', '/status/304', 304]]) {
    const { answer, body } = await asked({ ':method': method, ':path': target });
    assert.deepStrictEqual([answer[':status'], body.length, answer['x-saw']], [status, 0, told]);
    if (method === 'HEAD') {
      assert.strictEqual(answer['content-length'], '5');
    }
  }
}

async function hints() {
  const stream = session.request({ ':path': '/hints' });
  const early = once(stream, 'headers');
  const [hint] = await early;
  assert.deepStrictEqual([hint[':status'], hint.link], [103, '</style.css>; rel=preload; as=style']);
  const [answer] = await once(stream, 'response');
  assert.strictEqual(answer[':status'], 200);
  assert.strictEqual((await all(stream)).toString(), 'hinted');
}

async function cookies() {
  const { body } = await asked({ ':path': '/cookies', cookie: ['a=1', 'b=2', 'session=x=y'] });
  assert.strictEqual(body.toString(), '["a=1; b=2; session=x=y"]');
}

// slow does not read one answer, of more than the window, until others are done.
async function slow() {
  const own = http2.connect(base, { ...options, settings: { initialWindowSize: 1000 } });
  const shared = session;
  session = own;
  const late = await opened({ ':path': '/bytes?n=200000' });
  for (let i = 0; i < 5; i++) {
    assert.ok((await asked({ ':path': '/bytes?n=20000' })).body.equals(pattern(20000)));
  }
  assert.ok((await all(late.stream)).equals(pattern(200000)));
  session = shared;
  own.close();
}

async function cancelled() {
  const stream = session.request({ ':path': '/wait?name=thinking+of+node' });
  stream.on('error', () => {});
  const closed = new Promise((resolve) => { stream.once('close', resolve); });
  await asked({ ':path': '/said?what=waiting+thinking+of+node' });
  stream.close(http2.constants.NGHTTP2_CANCEL);
  await closed;
  assert.strictEqual((await asked({ ':path': '/' })).body.toString(), 'hello');
}

async function resumed() {
  let ticket;
  for (const reused of [false, true, true]) {
    const own = http2.connect(base, { ...options, session: ticket });
    own.socket.on('session', (data) => { ticket = data; });
    await once(own, 'connect');
    const stream = own.request({ ':path': '/' });
    const [answer] = await once(stream, 'response');
    await all(stream);
    assert.deepStrictEqual([answer['x-saw'], own.socket.isSessionReused()], [told, reused]);
    own.close();
    await once(own, 'close');
  }
}

// negotiated tells the protocol that comes of a client's offer.
async function negotiated(ALPNProtocols) {
  const { hostname, port } = new URL(base);
  const socket = tls.connect({ ...options, host: hostname, port, servername: hostname, ALPNProtocols });
  await once(socket, 'secureConnect');
  socket.destroy();
  return socket.alpnProtocol;
}

async function protocols() {
  assert.deepStrictEqual([session.alpnProtocol, session.encrypted], ['h2', true]);
  // Extended CONNECT is not to be had, so that nobody tries a WebSocket by it.
  assert.strictEqual(session.remoteSettings.enableConnectProtocol, false);
  assert.strictEqual(await negotiated(['h2']), 'h2');
  assert.strictEqual(await negotiated(['http/1.1', 'h2']), 'h2');
  assert.strictEqual(await negotiated(['http/1.1']), 'http/1.1');
  assert.strictEqual(await negotiated(undefined), false);
  await assert.rejects(negotiated(['spdy/3']), /no application protocol/i);
  const own = http2.connect(base, { ...options, allowHTTP1: true });
  await once(own, 'connect');
  assert.strictEqual(own.alpnProtocol, 'h2');
  own.close();
  const [answer] = await once(https.get(base + '/', options), 'response');
  assert.deepStrictEqual([answer.httpVersion, answer.headers['x-saw']], ['1.1', told]);
  await all(answer);
}

// without is asked of a server that has no HTTP/2.
async function without() {
  assert.strictEqual(await negotiated(['h2', 'http/1.1']), 'http/1.1');
  await assert.rejects(negotiated(['h2']), /no application protocol/i);
  await assert.rejects(once(http2.connect(base, options), 'connect'), /no application protocol/i);
  // In a client allowHTTP1 only widens the offer: node speaks HTTP/2 all the same.
  const own = http2.connect(base, { ...options, allowHTTP1: true });
  const failed = assert.rejects(once(own, 'close'), { code: 'ERR_HTTP2_ERROR' });
  await once(own, 'connect');
  assert.strictEqual(own.alpnProtocol, 'http/1.1');
  await failed;
}

const steps = { bodies, together, early, events, trailers, bare, hints, cookies, slow, cancelled, resumed, protocols };

async function main() {
  for (const name of wanted) {
    if (name === 'without') {
      await without();
    } else {
      if (session === undefined) {
        session = http2.connect(base, options);
        await once(session, 'remoteSettings');
      }
      const shared = session;
      await steps[name]();
      assert.ok(session === shared && !session.closed, 'the connection did not last');
    }
    process.stdout.write(JSON.stringify({ step: name }) + '\n');
  }
  session?.close();
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
