// The gateway itself, as `eg gateway create` sets it up.
//
//   node gateway.js FOLDER    with gateway.config.json in it
'use strict';

const fs = require('node:fs');
const path = require('node:path');

const folder = process.argv[2];
const models = path.join(path.dirname(require.resolve('express-gateway')), 'config', 'models');

fs.copyFileSync(path.join(__dirname, 'system.config.json'), path.join(folder, 'system.config.json'));
fs.cpSync(models, path.join(folder, 'models'), { recursive: true });
require('express-gateway')().load(folder).run();
