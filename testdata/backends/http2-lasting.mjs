// A client over node's own HTTP/2 that lives through what happens to servers.
//
//   node http2-lasting.mjs revoked|drained https://localhost:PORT FOLDER
//
// FOLDER holds ca.crt, and leaver.key and leaver.crt or client.key and client.crt.
// It ends with an error unless all went as it should.

import assert from 'node:assert';
import fs from 'node:fs';
import http2 from 'node:http2';
import path from 'node:path';
import { once } from 'node:events';

const [story, base, folder] = process.argv.slice(2);
const read = (name) => fs.readFileSync(path.join(folder, name));

function connect(name) {
  return http2.connect(base, { key: read(`${name}.key`), cert: read(`${name}.crt`), ca: read('ca.crt'), family: 4 });
}

async function ask(session, target) {
  const stream = session.request({ ':path': target });
  const [answer] = await once(stream, 'response');
  const pieces = [];
  for await (const piece of stream) {
    pieces.push(piece);
  }
  return { status: answer[':status'], saw: answer['x-saw'], body: Buffer.concat(pieces).toString() };
}

// revoked: while /last is answered, the certificate is.
async function revoked() {
  const told = 'SUCCESS CN=leaver,O=Acme';
  const session = connect('leaver');
  let goaways = 0;
  session.on('goaway', () => { goaways++; });
  session.on('error', () => {});
  const running = session.request({ ':path': '/events?name=node' });
  await once(running, 'data');
  const cut = new Promise((resolve) => { running.once('close', resolve); });
  running.on('error', () => {});
  for (const target of ['/first', '/last']) {
    const { status, saw } = await ask(session, target);
    assert.deepStrictEqual([status, saw], [200, told]);
  }
  assert.ok(!session.closed && !session.destroyed && goaways === 0);
  const { status, body } = await ask(session, '/next');
  assert.strictEqual(status, 400);
  assert.match(body, /revoked/);
  await cut;
  assert.notStrictEqual(running.rstCode, http2.constants.NGHTTP2_NO_ERROR);
  if (!session.destroyed) {
    await once(session, 'close');
  }
  assert.ok(goaways > 0, 'the connection ended without GOAWAY');
  const again = connect('leaver');
  assert.strictEqual((await ask(again, '/')).status, 400);
  again.destroy();
}

// drained: the server goes away while it has work. A session that was told to go
// away is not used again; nothing but a request that was not begun is sent twice.
async function drained() {
  let session;
  let sessions = 0;
  const current = () => {
    if (session === undefined || session.closed || session.destroyed) {
      const own = connect('client');
      own.on('goaway', () => own.close());
      own.on('error', () => {});
      session = own;
      sessions++;
    }
    return session;
  };
  let next = 0;
  const worker = async () => {
    while (next < 600) {
      const n = next++;
      const mine = current();
      let got;
      try {
        got = await ask(mine, n === 100 ? '/stop' : `/?n=${n}`);
      } catch (error) {
        if (error.code !== 'ERR_HTTP2_GOAWAY_SESSION' && !/NGHTTP2_REFUSED_STREAM/.test(error.message)) {
          throw error;
        }
        got = await ask(current(), `/?n=${n}`);
      }
      assert.deepStrictEqual([got.status, got.saw, got.body], [200, 'SUCCESS CN=client,O=Acme', 'hello']);
    }
  };
  await Promise.all(Array.from({ length: 8 }, worker));
  assert.ok(sessions > 1, 'the connection was never told to go away');
  session.close();
}

({ revoked, drained })[story]().catch((error) => {
  console.error(error);
  process.exit(1);
});
