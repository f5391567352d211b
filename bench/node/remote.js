'use strict';
// litekeel's Database of a libSQL server beside the npm packages `libsql` (blocking) and `@libsql/client`, on one server, in one
// process, by turns. SQLD names the server (scripts/test-scale remote installs it):
//   SQLD=…/sqld node bench/node/remote.js [rounds]
// Each figure is the median of the rounds; the packages are installed by npm, pinned, under target/.
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { createRequire } = require('node:module');
const Database = require('../../bindings-node');
const { server } = require('../../bindings-node/test/scale/server');

const ROUNDS = Number(process.argv[2] ?? 5);
const PEERS = ['libsql@0.5.29', '@libsql/client@0.18.0'];

function peers() {
	const directory = path.join(__dirname, '..', '..', 'target', 'bench-remote');
	if (!fs.existsSync(path.join(directory, 'node_modules', '@libsql', 'client'))) {
		fs.mkdirSync(directory, { recursive: true });
		execFileSync('npm', ['install', '--prefix', directory, '--no-audit', '--no-fund', '--no-save', '--loglevel=error', ...PEERS], { stdio: 'inherit' });
	}
	const load = createRequire(path.join(directory, 'main.js'));
	return { libsql: load('libsql'), client: load('@libsql/client') };
}

const median = (list) => list.toSorted((a, b) => a - b)[list.length >> 1];

/** Milliseconds for each of `count` calls. */
async function each(count, fn) {
	const began = process.hrtime.bigint();
	for (let at = 0; at < count; ++at) await fn(at);
	return Number(process.hrtime.bigint() - began) / 1e6 / count;
}

/** Of `libsql`, whose stream the server forgets when it rests too long, as while others are measured on a busy machine. */
function again(fn) {
	try {
		return fn();
	} catch {
		return fn();
	}
}

/** As `each`, for calls that block. */
function eachNow(count, fn) {
	const began = process.hrtime.bigint();
	for (let at = 0; at < count; ++at) fn(at);
	return Number(process.hrtime.bigint() - began) / 1e6 / count;
}

const ends = [];
async function main() {
	const { libsql: Libsql, client: { createClient } } = peers();
	const { url, port } = await server({ after: (fn) => ends.push(fn) });
	const http = `http://127.0.0.1:${port}`;
	const ours = Database.open(url());
	const theirs = new Libsql(http, {});
	const client = createClient({ url: http, intMode: 'number' });
	ours.exec('CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT); CREATE TABLE w(a INTEGER PRIMARY KEY, b TEXT)');
	ours.exec("INSERT INTO t WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) SELECT i, 'row number ' || i FROM n");
	const POINT = 'SELECT b FROM t WHERE a = ?';
	const WRITE = 'INSERT INTO w(b) VALUES(?)';
	const ALL = 'SELECT a, b FROM t';
	const statements = { ours: [POINT, WRITE, ALL].map((sql) => ours.prepare(sql)), theirs: [POINT, WRITE, ALL].map((sql) => theirs.prepare(sql)) };
	const count = (rows) => { let seen = 0; for (const row of rows) seen += row.a > 0 ? 1 : 0; if (seen !== 10_000) throw new Error(`${seen} rows`); };
	const batch = Array.from({ length: 100 }, (_, at) => [WRITE, `batch ${at}`]);
	const work = {
		'point read': {
			litekeel: () => eachNow(200, (at) => statements.ours[0].get(at + 1)),
			'litekeel, async': () => each(200, (at) => statements.ours[0].getAsync(at + 1)),
			libsql: () => eachNow(200, (at) => again(() => statements.theirs[0].get(at + 1))),
			'@libsql/client': () => each(200, (at) => client.execute({ sql: POINT, args: [at + 1] })),
		},
		'one-row write': {
			litekeel: () => eachNow(200, (at) => statements.ours[1].run(`${at}`)),
			'litekeel, async': () => each(200, (at) => statements.ours[1].runAsync(`${at}`)),
			libsql: () => eachNow(200, (at) => again(() => statements.theirs[1].run(`${at}`))),
			'@libsql/client': () => each(200, (at) => client.execute({ sql: WRITE, args: [`${at}`] })),
		},
		'100 writes': {
			'litekeel, one by one': () => eachNow(1, () => batch.forEach(([, value]) => statements.ours[1].run(value))),
			'litekeel, batch': () => eachNow(3, () => ours.batch(batch)),
			'@libsql/client, batch': () => each(3, () => client.batch(batch.map(([sql, value]) => ({ sql, args: [value] })), 'write')),
		},
		'10 000 rows': {
			'litekeel, iterate': () => eachNow(3, () => count(statements.ours[2].iterate())),
			'litekeel, all': () => eachNow(3, () => count(statements.ours[2].all())),
			'libsql, iterate': () => eachNow(3, () => again(() => count(statements.theirs[2].iterate()))),
			'@libsql/client': () => each(3, async () => count((await client.execute(ALL)).rows)),
		},
	};
	const took = {};
	for (let round = 0; round <= ROUNDS; ++round) {
		for (const [what, contenders] of Object.entries(work)) {
			const names = Object.keys(contenders);
			// Nobody is always the first.
			for (let turn = 0; turn < names.length; ++turn) {
				const name = names[(turn + round) % names.length];
				const ms = await contenders[name]();
				// The first round warms up.
				if (round > 0) ((took[what] ??= {})[name] ??= []).push(ms);
			}
		}
	}
	console.log(`node ${process.version}, ${PEERS.join(', ')}, median of ${ROUNDS} rounds, milliseconds (least to most)`);
	for (const [what, names] of Object.entries(took)) {
		for (const [name, list] of Object.entries(names)) console.log(`${what.padEnd(14)} ${name.padEnd(22)} ${median(list).toFixed(3).padStart(9)}   (${Math.min(...list).toFixed(3)} to ${Math.max(...list).toFixed(3)})`);
	}
	ours.close();
	theirs.close();
	client.close();
}

main().finally(async () => { for (const end of ends) await end(); });
