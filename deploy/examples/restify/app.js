// Two routes: one is open, one asks for a client whom the sidecar believes.
'use strict';

const restify = require('restify');

const app = restify.createServer({ name: 'example' });

function seen(req) {
  return { verified: req.headers.verified, dn: req.headers.dn };
}

app.get('/', (req, res, next) => {
  res.send(200, seen(req));
  return next();
});

app.get('/protected-route', (req, res, next) => {
  res.send(req.headers.verified === 'SUCCESS' ? 200 : 401, seen(req));
  return next();
});

app.listen(process.env.PORT || 3000, '127.0.0.1', () => {
  console.log(`listening on 127.0.0.1:${app.address().port}`);
});
process.once('SIGTERM', () => process.exit(0));
