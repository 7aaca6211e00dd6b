// The CA's OCSP responder for this example: openssl ocsp, which reads the CA's books
// in the current folder anew for each question. (openssl ocsp -port would do, but
// reads them once.)
'use strict';

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const http = require('node:http');

function answer(question) {
  fs.writeFileSync('question.der', question);
  execFileSync('openssl', ['ocsp', '-index', 'index.txt', '-CA', 'rootCA.pem', '-rsigner', 'rootCA.pem', '-rkey', 'rootCA.key',
    '-nmin', '5', '-reqin', 'question.der', '-respout', 'answer.der'], { stdio: 'ignore' });
  return fs.readFileSync('answer.der');
}

const server = http.createServer((req, res) => {
  const pieces = [];
  req.on('data', (piece) => pieces.push(piece));
  req.on('end', () => {
    // RFC 6960 A.1: a POST has the question as its body, a GET in its path.
    const question = req.method === 'POST' ? Buffer.concat(pieces) : Buffer.from(decodeURIComponent(req.url.slice(1)), 'base64');
    res.setHeader('Content-Type', 'application/ocsp-response');
    res.end(answer(question));
  });
});
server.listen(process.env.OCSP_PORT || 0, '127.0.0.1', () => console.log(`responder on port ${server.address().port}`));
process.once('SIGTERM', () => process.exit(0));
