'use strict';
// host.cjs MODE DATABASE ON [worker]: see ../README.md. Without a DATABASE litekeel is not used. Node, Bun and Deno.
const fs = require('node:fs');
const path = require('node:path');
const { Worker, isMainThread, workerData, parentPort } = require('node:worker_threads');

const [mode, database, on, where] = isMainThread ? process.argv.slice(2) : workerData;
const used = database !== '';
const say = (text) => fs.writeSync(1, `${text}\n`);
const LONG = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n';
let db = null;

function open(options) {
	const litekeel = require(path.join(__dirname, '../../../bindings-node'));
	db = litekeel.open(`file:${database}`, options);
	db.exec('CREATE TABLE IF NOT EXISTS t(a); INSERT INTO t VALUES(1)');
	// What a program leaves: a statement, rows in the middle of being read.
	globalThis.kept = [db, db.prepare('SELECT a FROM t').all()];
}

function act() {
	if (mode === 'exit') process.exit(3);
	if (mode === 'error') throw new Error('on purpose');
	if (mode === 'natural') return;
	if (used && mode === 'second') db.exec('BEGIN IMMEDIATE; INSERT INTO t VALUES(3)');
	say('ready');
	while (mode === 'loop');
	if (used && mode === 'long') try { db.exec(LONG); } catch { /* interrupted */ }
	setInterval(() => {}, 1000);
}

const handler = () => {
	say('handler');
	process.exit(7);
};

if (!isMainThread) {
	if (used) open({});
	parentPort.postMessage('open');
	act();
} else {
	process.on('exit', () => {
		say('hook');
		try { db?.exec('INSERT INTO t VALUES(2)'); } catch { /* refused */ }
	});
	const options = on === '1' ? { shutdownOn: ['SIGTERM', 'SIGINT', 'SIGHUP'] } : {};
	if (mode === 'before') process.on('SIGTERM', handler);
	if (where === 'worker') {
		if (used && on === '1') globalThis.kept = require(path.join(__dirname, '../../../bindings-node')).open(':memory:', options);
		if (mode === 'after') process.on('SIGTERM', handler);
		new Worker(__filename, { workerData: process.argv.slice(2) });
	} else {
		if (used) open(options);
		if (mode === 'after') process.on('SIGTERM', handler);
		act();
	}
}
