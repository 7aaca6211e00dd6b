// Scenario S5: a client that uses node's https.Agent with a certificate.
//
//   node client.js https://localhost:PORT FOLDER < steps.json
//
// FOLDER holds clientKey.pem, clientCert.pem and serverCert.pem. steps.json is
// a list of {method, path, body}; each is sent in turn over the same agent and
// one JSON line {status, body} is printed for it. The server's certificate is
// verified here, as it should be.
'use strict';

const fs = require('node:fs');
const https = require('node:https');
const path = require('node:path');

const [base, folder] = process.argv.slice(2);
const read = (name) => fs.readFileSync(path.join(folder, name));

const agent = new https.Agent({
  key: read('clientKey.pem'),
  cert: read('clientCert.pem'),
  ca: read('serverCert.pem'),
  keepAlive: true,
  family: 4, // the sidecar under test listens on 127.0.0.1 alone
});

function send(step) {
  return new Promise((resolve, reject) => {
    const body = step.body === undefined ? undefined : JSON.stringify(step.body);
    const headers = body === undefined ? {} : { 'Content-Type': 'application/json' };
    const req = https.request(new URL(step.path, base), { agent, method: step.method, headers }, (res) => {
      let text = '';
      res.setEncoding('utf8');
      res.on('data', (piece) => { text += piece; });
      res.on('end', () => resolve({ status: res.statusCode, body: text }));
      res.on('error', reject);
    });
    req.on('error', reject);
    req.end(body);
  });
}

async function main() {
  const steps = JSON.parse(fs.readFileSync(0, 'utf8'));
  for (const step of steps) {
    process.stdout.write(JSON.stringify(await send(step)) + '\n');
  }
  agent.destroy();
}

main().catch((err) => {
  process.stderr.write(String(err.stack) + '\n');
  process.exitCode = 1;
});
