// LoopBack with a PUT /api/dogs that is for believed clients: a middleware, what
// LoopBack 3 called a hook, looks at what the sidecar says before the body is read.
'use strict';

const crypto = require('node:crypto');
const busboy = require('busboy');
const { RestApplication, HttpErrors, Route } = require('@loopback/rest');

const dogs = new Map();
const hash = (data) => crypto.createHash('sha256').update(data).digest('hex');

async function guard({ request }, next) {
  if (request.method === 'PUT' && request.path === '/api/dogs' && request.get('VERIFIED') !== 'SUCCESS') {
    throw new HttpErrors.Unauthorized('a client certificate is needed');
  }
  return next();
}

function collect(stream) {
  return new Promise((resolve, reject) => {
    const pieces = [];
    stream.on('data', (piece) => pieces.push(piece));
    stream.on('end', () => resolve(Buffer.concat(pieces)));
    stream.on('error', reject);
  });
}

// parts gives a multipart body's parts by name.
async function parts(body, headers) {
  const form = busboy({ headers });
  const found = {};
  const files = [];
  form.on('file', (name, stream) => files.push(collect(stream).then((data) => { found[name] = data; })));
  form.on('field', (name, text) => { found[name] = Buffer.from(text); });
  await new Promise((resolve, reject) => form.on('close', resolve).on('error', reject).end(body));
  await Promise.all(files);
  return found;
}

// upsert makes or replaces a dog, and tells which bytes arrived.
async function upsert(request) {
  const body = await collect(request);
  const { metadata, picture } = await parts(body, request.headers);
  const dog = JSON.parse(metadata);
  dogs.set(dog.id, dog);
  return { dog, by: request.get('DN'), body: hash(body), ...(picture ? { picture: hash(picture) } : {}) };
}

const multipart = { required: true, content: { 'multipart/form-data': { 'x-parser': 'stream', schema: { type: 'object' } } } };
const done = { 200: { description: 'the dog' } };

async function main() {
  const app = new RestApplication({ rest: { host: '127.0.0.1', port: Number(process.env.PORT || 3000) } });
  app.middleware(guard);
  app.route(new Route('put', '/api/dogs', { requestBody: multipart, responses: done }, upsert));
  app.route(new Route('get', '/api/dogs', { responses: done }, async () => [...dogs.values()]));
  await app.start();
  console.log(`listening on 127.0.0.1:${new URL(app.restServer.url).port}`);
}

main().catch((err) => {
  console.error(err);
  process.exitCode = 1;
});
process.once('SIGTERM', () => process.exit(0));
