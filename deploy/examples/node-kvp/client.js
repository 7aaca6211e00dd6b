// A client with a certificate: node's https.Agent({key, cert}), which verifies
// the server's certificate, too.
//
//   node client.js [--anonymous] https://localhost:8443 FOLDER METHOD PATH [JSON]
//
// FOLDER holds serverCert.pem and, but for --anonymous, clientKey.pem and
// clientCert.pem.
'use strict';

const fs = require('node:fs');
const https = require('node:https');
const path = require('node:path');

const words = process.argv.slice(2);
const anonymous = words[0] === '--anonymous';
const [base, folder, method, target, body] = anonymous ? words.slice(1) : words;
const read = (name) => fs.readFileSync(path.join(folder, name));

const agent = new https.Agent({
  ca: read('serverCert.pem'),
  ...(anonymous ? {} : { key: read('clientKey.pem'), cert: read('clientCert.pem') }),
});

const headers = { Accept: 'application/json', ...(body ? { 'Content-Type': 'application/json' } : {}) };
const req = https.request(new URL(target, base), { agent, method, headers }, (res) => {
  let text = '';
  res.setEncoding('utf8');
  res.on('data', (piece) => { text += piece; });
  res.on('end', () => console.log(`${res.statusCode} ${text.trim()}`.trim()));
});
req.on('error', (err) => {
  console.error(err.message);
  process.exitCode = 1;
});
req.end(body);
