'use strict';
// The library under test, for the programs that a test starts: the one that the environment names, or the best one built.
const fs = require('node:fs');
const path = require('node:path');

const target = path.join(__dirname, '..', '..', 'target');
const built = ['release', 'fast', 'debug'].map((profile) => path.join(target, profile, 'liblitekeel.so'));

module.exports = process.env.LITEKEEL_LIBRARY || built.find(fs.existsSync);
