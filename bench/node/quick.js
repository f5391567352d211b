'use strict';
// node bench/node/quick.js [filter]: the hot calls of the Node module beside its peers, in one process, interleaved.
//
// For steering while developing: medians of the ratios of neighbouring rounds, in processor time, so that a noisy machine
// slows both sides of a ratio. ROUNDS (default 15) rounds of SLICE (default 12) milliseconds each; PEERS names the peers.
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const ROUNDS = Number(process.env.ROUNDS || 15);
const SLICE = Number(process.env.SLICE || 12);
const filter = new RegExp(process.argv[2] || '');
const tests = path.join(__dirname, '../../bindings-node/test/node_modules');
const major = Number(process.versions.node.split('.')[0]);
const bun = typeof Bun !== 'undefined';

const Litekeel = require('../../bindings-node');

/** node:sqlite and bun:sqlite with the methods of better-sqlite3 that are measured. */
function adapted(open) {
	return class {
		constructor(file) { this.db = open(file); }
		prepare(sql) { return adapt(this.db.prepare(sql), () => adaptRaw(this.db.prepare(sql))); }
		exec(sql) { this.db.exec(sql); return this; }
		pragma(sql) { this.db.exec(`PRAGMA ${sql}`); }
		transaction(fn) {
			const begin = this.db.prepare('BEGIN');
			const commit = this.db.prepare('COMMIT');
			return (...args) => { begin.run(); const out = fn(...args); commit.run(); return out; };
		}
		close() { this.db.close(); }
	};
}
const adapt = (statement, raw) => Object.assign(statement, { raw });
const adaptRaw = (statement) => {
	if (bun) return { all: (...args) => statement.values(...args) };
	statement.setReturnArrays(true);
	return statement;
};

function peers() {
	const wanted = process.env.PEERS ? process.env.PEERS.split(',') : null;
	const found = {};
	if (bun) {
		const { Database } = require('bun:sqlite');
		found['bun:sqlite'] = adapted((file) => new Database(file, { strict: true }));
	} else {
		if (major < 22) found.better12 = require(path.join(tests, 'better-sqlite3-12'));
		else found.better13 = require(path.join(tests, 'better-sqlite3'));
		if (major >= 24) {
			const { DatabaseSync } = require('node:sqlite');
			found['node:sqlite'] = adapted((file) => new DatabaseSync(file));
		}
	}
	return Object.fromEntries(Object.entries(found).filter(([name]) => wanted === null || wanted.includes(name)));
}

const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'keel-quick-'));
let files = 0;

function fill(Database, file) {
	const db = new Database(file ? path.join(directory, `${files++}.db`) : ':memory:');
	if (file) {
		db.pragma('journal_mode = WAL');
		db.pragma('synchronous = NORMAL');
	}
	db.exec('CREATE TABLE t(id INTEGER PRIMARY KEY, a INTEGER, b REAL, c TEXT); CREATE TABLE w(a INTEGER, b REAL, c TEXT, d); CREATE TABLE l(t TEXT, b BLOB); CREATE TABLE u(id INTEGER PRIMARY KEY, name TEXT, bio TEXT)');
	const insert = db.prepare('INSERT INTO t VALUES (?, ?, ?, ?)');
	const other = db.prepare('INSERT INTO u VALUES (?, ?, ?)');
	db.transaction(() => {
		for (let n = 1; n <= 10000; n++) {
			insert.run(n, n * 7, n / 3, `this is the text of row ${n}`);
			other.run(n, `日本語 ${n}`, `Grüße ${n}, und so fort`);
		}
		db.prepare('INSERT INTO l VALUES (?, ?)').run('x'.repeat(32768), Buffer.alloc(32768));
		db.prepare('INSERT INTO l VALUES (?, ?)').run('y'.repeat(40), Buffer.alloc(40));
	})();
	return db;
}

const cases = {
	'get 4 columns': (db) => { const s = db.prepare('SELECT id, a, b, c FROM t WHERE id = ?'); let n = 0; return () => s.get(1 + n++ % 10000); },
	'get select 1': (db) => { const s = db.prepare('SELECT 1'); return () => s.get(); },
	'get by text': (db) => { const s = db.prepare('SELECT ? AS v'); return () => s.get('a short text'); },
	'get by long text': (db) => { const s = db.prepare('SELECT length(?) AS v'); const text = 'ü'.repeat(200); return () => s.get(text); },
	'all 100': (db) => { const s = db.prepare('SELECT id, a, b, c FROM t WHERE id > ? LIMIT 100'); let n = 0; return () => s.all(n++ % 9000); },
	'raw all 20': (db) => { const s = db.prepare('SELECT id, a, b, c FROM t WHERE id > ? LIMIT 20').raw(); const r = s.all ? s : s(); let n = 0; return () => r.all(n++ % 9000); },
	'raw all 100': (db) => { const s = db.prepare('SELECT id, a, b, c FROM t WHERE id > ? LIMIT 100').raw(); let n = 0; return () => s.all(n++ % 9000); },
	'iterate 100': (db) => { const s = db.prepare('SELECT id, a, b, c FROM t WHERE id > ? LIMIT 100'); let n = 0; return () => { let c = 0; for (const r of s.iterate(n++ % 9000)) c += r.a; return c; }; },
	'iterate 1': (db) => { const s = db.prepare('SELECT id, a, b, c FROM t WHERE id = ?'); let n = 0; return () => { let c = 0; for (const r of s.iterate(1 + n++ % 9000)) c += r.a; return c; }; },
	'all 10000': (db) => { const s = db.prepare('SELECT id, a, b, c FROM t'); return () => s.all(); },
	'all 100 non-ASCII': (db) => { const s = db.prepare('SELECT id, name, bio FROM u WHERE id > ? LIMIT 100'); let n = 0; return () => s.all(n++ % 9000); },
	'run named': (db) => { const s = db.prepare('UPDATE t SET a = :a, b = :b WHERE id = :id'); let n = 0; return () => s.run({ a: n, b: n / 2, id: 1 + n++ % 10000 }); },
	'run 4 values': (db) => { const s = db.prepare('UPDATE t SET a = ?, b = ?, c = ? WHERE id = ?'); let n = 0; return () => s.run(n, n / 2, 'some text of the row', 1 + n++ % 10000); },
	'100 inserts in a transaction': (db) => { const s = db.prepare('INSERT INTO w VALUES (?, ?, ?, ?)'); const d = db.prepare('DELETE FROM w'); let k = 0; const tx = db.transaction(() => { for (let n = 0; n < 100; n++) s.run(n, n / 2, 'some text of the row', null); }); return () => { tx(); if (++k % 50 === 0) d.run(); }; },
	'prepare again and get': (db) => { let n = 0; return () => db.prepare('SELECT id, a, b, c FROM t WHERE id = ?').get(1 + n++ % 10000); },
	'prepare again, raw get': (db) => { let n = 0; return () => db.prepare('SELECT id, a, b, c FROM t WHERE id = ?').raw().all(1 + n++ % 10000); },
	'cold prepare': (db) => { let n = 0; return () => db.prepare(`SELECT id, a, b, c FROM t WHERE id = ? AND ${n++} = ${n}`); },
	'cold prepare and get': (db) => { let n = 0; return () => db.prepare(`SELECT id, a, b, c FROM t WHERE id = ? AND ${n++} < 0`).get(1); },
	'get text 32 KiB': (db) => { const s = db.prepare('SELECT t FROM l WHERE rowid = 1'); return () => s.get(); },
	'get blob 32 KiB': (db) => { const s = db.prepare('SELECT b FROM l WHERE rowid = 1'); return () => s.get(); },
	'get blob 40 B': (db) => { const s = db.prepare('SELECT b FROM l WHERE rowid = 2'); return () => s.get(); },
	'run text 32 KiB': (db) => { const s = db.prepare('UPDATE l SET t = ? WHERE rowid = 1'); const text = 'z'.repeat(32768); return () => s.run(text); },
	'exec': (db) => () => db.exec('UPDATE t SET a = 1 WHERE id = 5; UPDATE t SET a = 2 WHERE id = 6'),
};
const onFile = ['get 4 columns', 'all 100', 'iterate 100', 'run 4 values', '100 inserts in a transaction'];

/** Processor time of the process, in nanoseconds. */
const now = () => { const { user, system } = process.cpuUsage(); return (user + system) * 1000; };

/** Nanoseconds per call, over one slice. */
function slice(fn, batch) {
	const began = now();
	let calls = 0;
	let spent;
	do {
		for (let n = 0; n < batch; n++) fn();
		calls += batch;
		spent = now() - began;
	} while (spent < SLICE * 1e6);
	return spent / calls;
}

const median = (list) => list.sort((a, b) => a - b)[list.length >> 1];

const others = peers();
const sides = { litekeel: Litekeel, ...others };
console.log(`${bun ? `Bun ${Bun.version}` : `Node ${process.versions.node}`}, ratios peer/litekeel (above 1: litekeel is faster)`);
console.log(['case', 'litekeel ns', ...Object.keys(others)].join('\t'));
for (const file of [false, true]) {
	const dbs = Object.fromEntries(Object.entries(sides).map(([name, Database]) => [name, fill(Database, file)]));
	for (const [name, make] of Object.entries(cases)) {
		if (file && !onFile.includes(name)) continue;
		const title = file ? `file: ${name}` : name;
		if (!filter.test(title)) continue;
		const fns = Object.entries(dbs).map(([side, db]) => {
			const fn = make(db);
			const began = now();
			let calls = 0;
			while (now() - began < 30e6 || calls < 300) {
				fn();
				if (++calls >= 20000) break;
			}
			const batch = Math.max(1, Math.round(calls / 60));
			return [side, fn, batch, []];
		});
		for (let round = 0; round < ROUNDS; round++) {
			for (const entry of fns) entry[3].push(slice(entry[1], entry[2]));
		}
		const own = fns[0][3];
		const ratios = fns.slice(1).map(([, , , times]) => median(times.map((time, at) => time / own[at])).toFixed(2));
		console.log([title, Math.round(median([...own])), ...ratios].join('\t'));
	}
	for (const db of Object.values(dbs)) db.close();
}
fs.rmSync(directory, { recursive: true });
