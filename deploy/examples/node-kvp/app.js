// A key-value API in plain HTTP. TLS, and who may come, are the sidecar's.
'use strict';

const express = require('express');

const app = express();
const values = new Map();

app.use(express.json());

// known and unknown are what a route asks of the key in the body.
const known = (key) => values.has(key);
const unknown = (key) => !values.has(key);

function wants(state, otherwise) {
  return (req, res, next) => {
    const { key, value } = req.body || {};
    if (typeof key !== 'string' || key === '' || value === undefined) {
      return res.status(400).json({ error: 'key and value are needed' });
    }
    return state(key) ? next() : res.status(otherwise.status).json({ error: otherwise.error });
  };
}

function put(status) {
  return (req, res) => {
    const { key, value } = req.body;
    values.set(key, value);
    res.status(status).json({ key, value });
  };
}

const missing = { status: 404, error: 'no such key' };

app.post('/kvp', wants(unknown, { status: 400, error: 'the key exists' }), put(201));
app.put('/kvp', wants(known, missing), put(200));

app.get('/kvp/:key', (req, res) => {
  const { key } = req.params;
  if (unknown(key)) {
    return res.status(missing.status).json({ error: missing.error });
  }
  return res.json({ key, value: values.get(key) });
});

app.delete('/kvp/:key', (req, res) => {
  if (!values.delete(req.params.key)) {
    return res.status(missing.status).json({ error: missing.error });
  }
  return res.status(204).end();
});

const server = app.listen(process.env.PORT || 3000, '127.0.0.1', () => {
  console.log(`listening on 127.0.0.1:${server.address().port}`);
});
process.once('SIGTERM', () => process.exit(0));
