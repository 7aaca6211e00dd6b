// Scenario S5: a key-value API in plain HTTP; TLS is the sidecar's.
'use strict';

const http = require('node:http');
const express = require('express');
const { serve } = require('./record');

const app = express();
const pairs = new Map();

app.use(express.json());

function complete(req, res, next) {
  const { key, value } = req.body || {};
  if (!key || value === undefined) {
    return res.status(400).json({ error: 'key and value are required' });
  }
  return next();
}

app.post('/kvp', complete, (req, res) => {
  const { key, value } = req.body;
  if (pairs.has(key)) {
    return res.status(400).json({ error: 'the key exists' });
  }
  pairs.set(key, value);
  return res.status(201).json({ key, value });
});

app.get('/kvp/:key', (req, res) => {
  const { key } = req.params;
  if (!pairs.has(key)) {
    return res.status(404).json({ error: 'no such key' });
  }
  return res.json({ key, value: pairs.get(key) });
});

app.put('/kvp', complete, (req, res) => {
  const { key, value } = req.body;
  if (!pairs.has(key)) {
    return res.status(404).json({ error: 'no such key' });
  }
  pairs.set(key, value);
  return res.json({ key, value });
});

app.delete('/kvp/:key', (req, res) => {
  if (!pairs.delete(req.params.key)) {
    return res.status(404).json({ error: 'no such key' });
  }
  return res.status(204).end();
});

serve(http.createServer(app));
