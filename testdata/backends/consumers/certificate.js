// Applications that take the client's certificate out of a header, each by the
// rules that its terminator's documentation gives to those who read it.
//
//   GET /READER   200 and what it read, as JSON; 401 when there is no certificate
//
// The certificates themselves are read by node's own X509Certificate.
'use strict';

const http = require('node:http');
const { X509Certificate } = require('node:crypto');
const { parseItem, parseList } = require('structured-headers');
const { xfccNames, traefikInfo } = require('./names');

const fromBase64 = (text) => new X509Certificate(Buffer.from(text, 'base64'));

// PEM blocks one after another, each to be read by itself: X509Certificate
// would look at the first alone.
function fromPEM(text) {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) || [];
  return blocks.map((block) => new X509Certificate(block));
}

// The load balancer leaves + as it is, which decoders of forms take for a space.
const fromALB = (text) => fromPEM(decodeURIComponent(text.replaceAll('+', '%2B')));

// One element for each proxy; the first is nearest to the client. Chain holds
// Cert too. Values are split off at every semicolon, quoted or not, as those
// who know that Cert and Chain hold none do.
function fromEnvoy(text) {
  const pairs = new Map();
  for (const pair of text.match(/^(?:[^",]|"(?:[^"\\]|\\.)*")*/)[0].split(';')) {
    const [key, value] = [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)];
    pairs.set(key, value.replace(/^"(.*)"$/, '$1'));
  }
  return fromPEM(decodeURIComponent(pairs.get('Chain') || pairs.get('Cert')));
}

// RFC 9440 section 2: an item and a list of byte sequences, without parameters.
function bytes([value, parameters]) {
  if (!(value instanceof ArrayBuffer) || parameters.size > 0) {
    throw new Error('not a byte sequence');
  }
  return new X509Certificate(Buffer.from(value));
}

const readers = {
  'aws-alb-passthrough': (h) => ({ chain: fromALB(h['x-amzn-mtls-clientcert']) }),
  'aws-alb': (h) => ({ chain: fromALB(h['x-amzn-mtls-clientcert-leaf']) }),
  'cloudflare': (h) => ({ chain: [fromBase64(h['cf-client-cert-der-base64'])] }),
  'envoy': (h) => ({ chain: fromEnvoy(h['x-forwarded-client-cert']), names: xfccNames(h['x-forwarded-client-cert']) }),
  'traefik': (h) => ({
    chain: h['x-forwarded-tls-client-cert'].split(',').map(fromBase64),
    names: traefikInfo(h['x-forwarded-tls-client-cert-info']),
  }),
  'rfc9440': (h) => ({
    chain: [bytes(parseItem(h['client-cert'])), ...parseList(h['client-cert-chain'] || '').map(bytes)],
  }),
  // A header and a verdict of the operator's own choice: verifyHeader and
  // verifyValue, or trust-proxy-verification, as libraries call them.
  'verified': (h) => ({
    chain: h['x-ssl-client-verify'] === 'SUCCESS' ? fromPEM(decodeURIComponent(h['x-ssl-client-cert'])) : [],
  }),
};

const shown = (cert) => ({
  der: cert.raw.toString('base64'), subject: cert.subject, names: cert.subjectAltName || '',
});

const server = http.createServer((req, res) => {
  let read = { chain: [] };
  let fault = '';
  try {
    read = readers[req.url.slice(1)](req.headers);
  } catch (err) {
    fault = String(err);
  }
  res.statusCode = read.chain.length > 0 ? 200 : 401;
  res.end(JSON.stringify({ chain: read.chain.map(shown), names: read.names || {}, fault, headers: req.headers }));
});

server.listen(0, '127.0.0.1', () => console.log(JSON.stringify({ listening: server.address().port })));
process.once('SIGTERM', () => process.exit(0));
