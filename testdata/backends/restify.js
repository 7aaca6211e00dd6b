// Scenario S1: an open route and one that asks for a verified certificate.
'use strict';

const restify = require('restify');
const { serve } = require('./record');

const app = restify.createServer({ name: 'restify' });

app.get('/', (req, res, next) => {
  res.send(200, { message: 'open to everybody' });
  return next();
});

app.get('/protected-route', (req, res, next) => {
  if (req.headers.verified !== 'SUCCESS') {
    res.send(401, { message: 'a client certificate is needed' });
    return next(false);
  }
  res.send(200, { message: 'hello ' + req.headers.dn });
  return next();
});

serve(app.server);
