'use strict';
// node bench/node/memory.js [--write]: what is kept in memory, beside the peers on Node 24: each text of a result that is kept,
// by its length, and each open database. Every figure is of a process of its own; `--write` puts them into docs/benchmarks/memory.md.
// DATABASES= and TEXTS= change the counts.
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const runtimes = require('../../bindings-node/test/runtimes');
const prepare = require('../../bindings-node/test/prepare');

const root = path.join(__dirname, '..', '..');
const databases = Number(process.env.DATABASES ?? 2000);
const texts = Number(process.env.TEXTS ?? 50_000);
const LENGTHS = [8, 40, 300, 3000];

/** Bytes of JavaScript's heap and of what it holds outside, after two collections. */
function held() {
	globalThis.gc();
	globalThis.gc();
	const { heapUsed, external } = process.memoryUsage();
	return heapUsed + external;
}

/** For each text that is kept, of a row that has two more: bytes, the list's own included. */
function kept(module, directory, length) {
	const db = module.open(path.join(directory, 'kept.db'));
	db.exec(`CREATE TABLE t(id INTEGER PRIMARY KEY, text TEXT, first TEXT, second TEXT);
		WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
		INSERT INTO t SELECT i, substr(hex(randomblob(${length})), 1, ${length}), hex(randomblob(20)), hex(randomblob(20)) FROM n`);
	const one = db.prepare('SELECT text, first, second FROM t WHERE id = ?');
	const hundred = db.prepare('SELECT text, first, second FROM t WHERE id > ? LIMIT 100');
	const number = Math.min(texts, Math.ceil(60e6 / length));
	const bytes = (read) => {
		const list = new Array(number).fill(null);
		for (let warm = 0; warm < 2000; warm++) read(warm);
		const before = held();
		for (let at = 0; at < number; at++) list[at] = read(at);
		const after = held();
		if (list.some((text) => text.length !== length)) throw new Error('another text came back');
		return (after - before) / number;
	};
	let rows = [];
	return {
		get: bytes((at) => one.get(1 + at % 1000).text),
		// One text of each hundred rows.
		all: bytes((at) => (rows = hundred.all(at % 900))[at % 100].text),
		rows: rows.length,
	};
}

/** For each open database that has been read once: bytes that the process has in memory. */
function open(module, directory) {
	const file = path.join(directory, 'first.db');
	const first = module.open(file);
	first.exec('PRAGMA journal_mode = WAL; CREATE TABLE t(a); INSERT INTO t VALUES (1); PRAGMA wal_checkpoint(TRUNCATE)');
	first.close();
	for (let at = 0; at < databases; at++) fs.copyFileSync(file, path.join(directory, `${at}.db`));
	const all = [];
	const use = (at) => {
		const db = module.open(path.join(directory, `${at}.db`));
		db.prepare('SELECT a FROM t').get();
		all.push(db);
	};
	for (let at = 0; at < 50; at++) use(at);
	globalThis.gc();
	const before = process.memoryUsage().rss;
	for (let at = 50; at < databases; at++) use(at);
	globalThis.gc();
	const each = (process.memoryUsage().rss - before) / (databases - 50);
	for (const db of all) db.close();
	return { each };
}

if (process.argv[2] === 'measure') {
	const [, , , name, what] = process.argv;
	const contender = require('./contenders')().find((one) => one.name === name);
	const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'keel-memory-'));
	try {
		process.stdout.write(JSON.stringify(what === 'open' ? open(contender.load(), directory) : kept(contender.load(), directory, Number(what))));
	} finally {
		fs.rmSync(directory, { recursive: true });
	}
	process.exit();
}

const library = path.resolve(process.env.LITEKEEL_LIBRARY || path.join(root, 'target', 'release', 'liblitekeel.so'));
if (!fs.existsSync(library)) throw new Error(`${library} is missing: make, or set LITEKEEL_LIBRARY`);
prepare();
prepare(__dirname, '--ignore-scripts');
const NAMES = ['litekeel', 'better-sqlite3', 'node:sqlite'];
const measure = (name, what) => JSON.parse(execFileSync(runtimes.node(24), ['--expose-gc', '--no-warnings', __filename, 'measure', name, String(what)],
	{ encoding: 'utf8', env: { ...process.env, LITEKEEL_LIBRARY: library }, stdio: ['ignore', 'pipe', 'inherit'] }));
const row = (label, figures) => `| ${label} | ${figures.map((figure) => figure.toFixed(figure < 100 ? 1 : 0)).join(' | ')} | ${(figures[0] / Math.min(...figures.slice(1))).toFixed(2)}× |`;
const lines = [
	'# What stays in memory', '',
	`Bytes for each text of a result that is kept, and KiB for each open database, on Node 24; measured ${new Date().toISOString().slice(0, 10)}. Less is better; the last column is`,
	'litekeel by the better peer. Each figure is of a process of its own. `make bench` wrote this page.', '',
	`| | ${NAMES.join(' | ')} | ratio |`, `|---|${NAMES.map(() => '--:|').join('')}--:|`,
];
for (const length of LENGTHS) {
	const found = NAMES.map((name) => measure(name, length));
	lines.push(row(`a text of ${length} characters, of a row`, found.map(({ get }) => get)));
	lines.push(row(`a text of ${length} characters, of each hundred rows`, found.map(({ all }) => all)));
}
lines.push(row(`a database of ${databases} that are open, KiB`, NAMES.map((name) => measure(name, 'open').each / 1024)));
lines.push('');
process.stdout.write(lines.join('\n'));
if (process.argv.includes('--write')) fs.writeFileSync(path.join(root, 'docs', 'benchmarks', 'memory.md'), lines.join('\n'));
