// Applications that each read a path in their own way and guard nothing: what
// is meant for believed clients alone is under /admin/ and at /tasks, and says
// so in its body. One port for each; the first argument is a folder to serve.
'use strict';

const http = require('node:http');
const path = require('node:path');
const querystring = require('node:querystring');
const url = require('node:url');
const express = require('express');
const restify = require('restify');

const SECRET = 'PROTECTED\n';
const root = process.argv[2];

const guarded = (p) => p === '/admin' || p.startsWith('/admin/') || p === '/tasks';

// byReading answers with what is guarded when read(req) names it.
function byReading(read) {
  return http.createServer((req, res) => {
    let secret = false;
    try {
      secret = guarded(read(req));
    } catch {
      res.statusCode = 400;
    }
    res.end(secret ? SECRET : 'open\n');
  });
}

const pathOf = (req) => req.url.split('?')[0];
const decoded = (req) => decodeURIComponent(pathOf(req));

function quietExpress() {
  const app = express();
  app.set('env', 'test'); // errors are not written out
  return app;
}

function expressApp() {
  const app = quietExpress();
  app.use('/admin', (req, res) => res.send(SECRET));
  app.get('/tasks', (req, res) => res.send(SECRET));
  app.use((req, res) => res.send('open\n'));
  return http.createServer(app);
}

// expressParameter looks up a decoded route parameter by itself.
function expressParameter() {
  const app = quietExpress();
  app.get('/:area', (req, res) => res.send(guarded('/' + req.params.area) ? SECRET : 'open\n'));
  app.get('/:area/:page', (req, res) => res.send(guarded('/' + req.params.area) ? SECRET : 'open\n'));
  app.get('/{*rest}', (req, res) => res.send(guarded(path.posix.join('/', ...req.params.rest)) ? SECRET : 'open\n'));
  return http.createServer(app);
}

function expressStatic() {
  const app = quietExpress();
  app.use(express.static(root, { dotfiles: 'allow' }));
  return http.createServer(app);
}

function restifyApp(options, ...before) {
  const app = restify.createServer({ name: 'restify', ...options });
  app.pre(...before, (req, res, next) => next());
  const secret = (req, res, next) => {
    res.sendRaw(200, SECRET);
    return next();
  };
  for (const route of ['/admin', '/admin/:page', '/tasks']) {
    app.get(route, secret);
  }
  return app.server;
}

const pre = restify.plugins.pre;

const servers = {
  'node url.parse': byReading((req) => url.parse(req.url).pathname),
  'node url.parse of //host': byReading((req) => url.parse(req.url, false, true).pathname),
  'node new URL': byReading((req) => new URL(req.url, 'http://localhost').pathname),
  'node new URL, decoded': byReading((req) => decodeURIComponent(new URL(req.url, 'http://localhost').pathname)),
  'node decoded, then new URL': byReading((req) => new URL(decoded(req), 'http://localhost').pathname),
  'node decoded, normalised': byReading((req) => path.posix.normalize(decoded(req))),
  'node normalised, decoded': byReading((req) => decodeURIComponent(path.posix.normalize(pathOf(req)))),
  'node decoded twice, normalised': byReading((req) => path.posix.normalize(decodeURIComponent(decoded(req)))),
  'node querystring.unescape': byReading((req) => path.posix.normalize(querystring.unescape(pathOf(req)))),
  'node unescape': byReading((req) => path.posix.normalize(unescape(pathOf(req)))),
  'node windows': byReading((req) => path.win32.normalize(decoded(req)).toLowerCase().replaceAll('\\', '/')),
  'node upper case': byReading((req) => (guarded(decoded(req).toUpperCase().toLowerCase()) ? '/admin' : '/')),
  'node lower case': byReading((req) => decoded(req).toLowerCase()),
  'node NFKC': byReading((req) => path.posix.normalize(decoded(req).normalize('NFKC')).toLowerCase()),
  'node without marks': byReading((req) => decoded(req).normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase()),
  'node trimmed': byReading((req) => '/' + decoded(req).split('/').map((s) => s.trim()).filter(Boolean).join('/')),
  'node parameters removed': byReading((req) => path.posix.normalize(pathOf(req).replace(/;[^/]*/g, ''))),
  'node normalised, parameters removed': byReading((req) => path.posix.normalize(pathOf(req)).replace(/;[^/]*/g, '')),
  'node until NUL': byReading((req) => decoded(req).split('\0')[0]),
  'node without controls': byReading((req) => decoded(req).replace(/[\x00-\x1f\x7f]/g, '')),
  'express': expressApp(),
  'express parameters': expressParameter(),
  'express.static': expressStatic(),
  'restify': restifyApp({}),
  'restify, sanitised': restifyApp({ ignoreTrailingSlash: true }, pre.sanitizePath(), pre.dedupeSlashes()),
};

for (const [name, server] of Object.entries(servers)) {
  server.listen(0, '127.0.0.1', () => {
    process.stdout.write(JSON.stringify({ name, listening: server.address().port, of: Object.keys(servers).length }) + '\n');
  });
}
// url.parse throws at some paths (//%zz@x), and with it restify's plugins, from
// where nothing but this can catch it.
process.on('uncaughtException', (err) => {
  process.stderr.write(String(err) + '\n');
  for (const name of ['restify', 'restify, sanitised']) {
    servers[name].closeAllConnections();
  }
});
process.once('SIGTERM', () => process.exit(0));
