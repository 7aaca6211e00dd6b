// Scenario S3: the service behind the gateway. It trusts the gateway to have
// turned away whoever has no certificate, and answers with what it was told.
'use strict';

const http = require('node:http');
const express = require('express');
const { serve } = require('./record');

const app = express();

// The whole body is read before the answer, whatever its type.
app.use(express.raw({ type: () => true, limit: '64mb' }));

app.all('/users', (req, res) => {
  res.json({ method: req.method, verified: req.headers.verified, dn: req.headers.dn });
});

serve(http.createServer(app));
