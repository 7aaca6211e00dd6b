// The service behind the gateway, which lets believed clients alone to /clients.
// It answers with what it is told about the client.
'use strict';

const express = require('express');

const app = express();
const tell = (req, res) => res.json({ verified: req.headers.verified, dn: req.headers.dn });

app.get('/open', tell);
app.get('/clients/:id', tell);

const server = app.listen(process.env.PORT || 3000, '127.0.0.1', () => {
  console.log(`listening on 127.0.0.1:${server.address().port}`);
});
process.once('SIGTERM', () => process.exit(0));
