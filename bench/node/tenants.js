'use strict';
// node bench/node/tenants.js: many databases, a bounded number of them open. What it takes to use one that is closed, and
// the memory of those that are open, beside better-sqlite3 with a map kept by hand. FILES= MAX= ROUNDS= change it.
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const files = Number(process.env.FILES ?? 10_000);
const max = Number(process.env.MAX ?? 200);
const rounds = Number(process.env.ROUNDS ?? 5);
const root = path.join(__dirname, '..', '..');
// better-sqlite3 13 does not run in Node 20.
const runtime = require('../../bindings-node/test/runtimes').node(24);

/** What people write: a Map in the order of use, the pragmas, and the oldest closed. */
function byHand(dir) {
	const Database = require(require.resolve('better-sqlite3', { paths: [path.join(root, 'bindings-node/test')] }));
	const open = new Map();
	return {
		use(name, work) {
			let db = open.get(name);
			open.delete(name);
			if (db === undefined) {
				if (open.size >= max) {
					const [oldest, one] = open.entries().next().value;
					one.close();
					open.delete(oldest);
				}
				db = new Database(path.join(dir, `${name}.db`));
				for (const pragma of ['journal_mode = wal', 'synchronous = normal', 'busy_timeout = 5000', 'foreign_keys = on', 'cache_size = -64000']) db.pragma(pragma);
			}
			open.set(name, db);
			return work(db);
		},
		close() { for (const db of open.values()) db.close(); },
	};
}

const ours = (dir) => require(path.join(root, 'bindings-node')).databases({ dir, max });

/** In a process of its own: opens each file in an order that repeats none within `max`, and reads and writes a row. */
async function measure(side, dir) {
	const tenants = side === 'ours' ? ours(dir) : byHand(dir);
	const work = (db) => {
		db.prepare('INSERT INTO visit(at) VALUES (?)').run(1);
		return db.prepare('SELECT count(*) AS n FROM visit').get();
	};
	for (let n = 0; n < max; ++n) tenants.use(String(n), work);
	globalThis.gc?.();
	const rss = process.memoryUsage().rss;
	const took = [];
	for (let n = max; n < files; ++n) {
		const began = process.hrtime.bigint();
		tenants.use(String(n), work);
		took.push(Number(process.hrtime.bigint() - began) / 1000);
		// A request ends: until then JavaScript keeps what a WeakRef was made of.
		await new Promise(setImmediate);
	}
	took.sort((a, b) => a - b);
	const descriptors = fs.readdirSync('/proc/self/fd').length;
	globalThis.gc?.();
	const after = process.memoryUsage().rss;
	tenants.close();
	return { p50: took[Math.floor(took.length / 2)], p99: took[Math.floor(took.length * 0.99)], rss, after, descriptors };
}

if (process.argv[2] !== undefined) {
	measure(process.argv[2], process.argv[3]).then((figures) => process.stdout.write(JSON.stringify(figures)));
	return;
}

const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'keel-tenants-'));
try {
	const first = ours(dir);
	first.use('0', (db) => db.exec('CREATE TABLE visit(id INTEGER PRIMARY KEY, at INTEGER NOT NULL)'), { create: true });
	first.close();
	for (let n = 1; n < files; ++n) fs.copyFileSync(path.join(dir, '0.db'), path.join(dir, `${n}.db`));
	const sides = { ours: [], theirs: [] };
	for (let round = 0; round < rounds; ++round) {
		for (const side of round % 2 ? ['theirs', 'ours'] : ['ours', 'theirs']) {
			sides[side].push(JSON.parse(execFileSync(runtime, ['--expose-gc', __filename, side, dir], { encoding: 'utf8' })));
		}
	}
	const median = (side, key) => sides[side].map((one) => one[key]).sort((a, b) => a - b)[rounds >> 1];
	console.log(`${files} databases, ${max} open, median of ${rounds} rounds\n`);
	console.log('| | litekeel `databases()` | better-sqlite3 and a Map | ratio |\n|---|--:|--:|--:|');
	for (const [key, title, scale, digits] of [['p50', 'open, insert, read: p50 µs', 1, 0], ['p99', 'p99 µs', 1, 0], ['rss', 'RSS with all open, MB', 1 / 1048576, 0], ['after', 'RSS at the end, MB', 1 / 1048576, 0], ['descriptors', 'descriptors', 1, 0]]) {
		const [a, b] = [median('ours', key), median('theirs', key)];
		console.log(`| ${title} | ${(a * scale).toFixed(digits)} | ${(b * scale).toFixed(digits)} | ${(a / b).toFixed(2)} |`);
	}
} finally {
	fs.rmSync(dir, { recursive: true, force: true });
}
