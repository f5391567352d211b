'use strict';
// As neighbours.py, for the libraries of Node. argv: neighbour, here|elsewhere, first|second, a folder, node_modules to look in.
const fs = require('node:fs');
const path = require('node:path');
const { execFileSync, spawn } = require('node:child_process');

const from = (name) => require(require.resolve(name, { paths: [process.argv[6], __dirname] }));
const version = (name) => JSON.parse(fs.readFileSync(path.join(process.argv[6], 'node_modules', name, 'package.json'), 'utf8')).version;
const READ = 'SELECT count(*) AS n FROM visit';
const WRITE = "INSERT INTO visit(who) VALUES('neighbour')";

/** open() gives what the neighbour has open: read(), write(), close(). */
const neighbours = {
	'better-sqlite3': (file) => {
		const db = new (from('better-sqlite3'))(file);
		const sqlite = db.prepare('SELECT sqlite_version() AS v').get().v;
		return { version: `better-sqlite3 ${version('better-sqlite3')}, SQLite ${sqlite}`, read: () => db.prepare(READ).get().n, write: () => db.exec(WRITE), close: () => db.close() };
	},
	'node:sqlite': (file) => {
		const db = new (require('node:sqlite').DatabaseSync)(file);
		return { version: `node:sqlite of Node ${process.versions.node}, SQLite ${process.versions.sqlite}`, read: () => db.prepare(READ).get().n, write: () => db.exec(WRITE), close: () => db.close() };
	},
	// Run by Bun.
	'bun:sqlite': (file) => {
		const { Database } = require('bun:sqlite');
		const db = new Database(file);
		const sqlite = db.query('SELECT sqlite_version() AS v').get().v;
		return { version: `bun:sqlite of Bun ${process.versions.bun}, SQLite ${sqlite}`, read: () => db.query(READ).get().n, write: () => void db.run(WRITE), close: () => db.close() };
	},
	libsql: (file) => {
		const db = new (from('libsql'))(file);
		return { version: `libsql ${version('libsql')}`, read: () => db.prepare(READ).get().n, write: () => db.exec(WRITE), close: () => db.close() };
	},
	'node-sqlite3-wasm': (file) => {
		const db = new (from('node-sqlite3-wasm').Database)(file);
		return { version: `node-sqlite3-wasm ${version('node-sqlite3-wasm')}`, read: () => db.get(READ).n, write: () => db.run(WRITE), close: () => db.close() };
	},
	'fs.copyFile': (file) => ({
		version: `fs.copyFileSync of Node ${process.versions.node}`,
		read: () => fs.copyFileSync(file, `${file}.copy`) ?? 'copied',
		write: () => { throw new Error('reads only'); },
		close: () => {},
	}),
};

async function sqljs(file) {
	const SQL = await from('sql.js')();
	let db;
	return { version: `sql.js ${version('sql.js')}`, read: () => { db = new SQL.Database(fs.readFileSync(file)); return db.exec(READ)[0].values[0][0]; }, write: () => { db.run(WRITE); fs.writeFileSync(file, db.export()); }, close: () => db?.close() };
}
const openNeighbour = (name, file) => (name === 'sql.js' ? sqljs(file) : neighbours[name](file));

const attempt = async (call) => {
	try {
		const value = await call();
		return typeof value === 'string' ? value : 'ok';
	} catch (error) {
		return `${error.code ?? error.name}: ${error.message}`.split('\n')[0].slice(0, 300);
	}
};

/** The same in a process of its own, driven by words. */
async function elsewhere(name, file) {
	const child = spawn(process.execPath, [__filename, name, 'child', '-', file, process.argv[6]], { stdio: ['pipe', 'pipe', 'pipe'] });
	let said = '', failed = '';
	child.stdout.on('data', (data) => (said += data));
	child.stderr.on('data', (data) => (failed += data));
	const line = async () => {
		while (!said.includes('\n') && child.exitCode === null) await new Promise((resolve) => setTimeout(resolve, 5));
		const [first, ...rest] = said.split('\n');
		said = rest.join('\n');
		if (!first) throw new Error(failed.trim().split('\n').find((text) => /Error/.test(text)) ?? 'no answer');
		return JSON.parse(first);
	};
	const word = async (text) => {
		child.stdin.write(`${text}\n`);
		const { value, error } = await line();
		if (error) throw new Error(error);
		return value;
	};
	const { version } = await line();
	return { version, read: () => word('read'), write: () => word('write'), close: async () => { await word('close'); child.stdin.end(); } };
}
async function child(name, file) {
	const opened = await openNeighbour(name, file);
	console.log(JSON.stringify({ version: opened.version }));
	for await (const word of require('node:readline').createInterface({ input: process.stdin })) {
		try {
			console.log(JSON.stringify({ value: opened[word]() }));
		} catch (error) {
			console.log(JSON.stringify({ error: `${error.code ?? error.name}: ${error.message}` }));
		}
	}
}

function files(file) {
	const header = execFileSync('head', ['-c', '20', file]);
	return { wal: fs.existsSync(`${file}-wal`) ? fs.statSync(`${file}-wal`).size : null, mode: { 1: 'rollback', 2: 'wal' }[header[18]] };
}

async function main(name, place, order, folder) {
	const { open } = require('../../bindings-node');
	const file = path.join(path.resolve(folder), 'app.db');
	const result = { neighbour: name, place, order };
	const start = (at) => (place === 'here' ? openNeighbour(name, at) : elsewhere(name, at));
	const check = (db) => { const health = db.health(); return health.good ? 'good' : [...health.checks.filter((one) => one.verdict === 'bad').map((one) => `${one.name} bad`), ...(health.latched ? [`latched ${health.latched}`] : [])].join('; '); };
	const write = (db) => attempt(() => `${db.prepare('INSERT INTO visit(who) VALUES(?)').run('litekeel').changes} row`);
	const made = open(file);
	made.exec("CREATE TABLE visit(id INTEGER PRIMARY KEY, who TEXT); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100) INSERT INTO visit(who) SELECT 'Ada' FROM n");
	made.close();
	let neighbour, db;
	if (order === 'second') {
		db = open(file);
		db.exec("INSERT INTO visit(who) VALUES('in the wal')");
		result.before = files(file);
		result.opens = await attempt(async () => { neighbour = await start(file); result.version = neighbour.version; result.sees = await neighbour.read(); });
		result['health during'] = check(db);
		result['write during'] = await write(db);
		result['open during'] = await attempt(() => open(file).close());
		if (neighbour) result['neighbour writes'] = await attempt(() => neighbour.write());
		if (neighbour) result.closes = await attempt(() => neighbour.close());
		result.after = files(file);
		result['health after'] = check(db);
		result['write after'] = await write(db);
		result.close = await attempt(() => { db.close(); });
	} else {
		result.opens = await attempt(async () => { neighbour = await start(file); result.version = neighbour.version; result.sees = await neighbour.read(); });
		result.files = files(file);
		result['litekeel opens'] = await attempt(() => { db = open(file); });
		if (db) result.write = await write(db);
		if (db) result.close = await attempt(() => { db.close(); });
		if (neighbour) result['neighbour writes'] = await attempt(() => neighbour.write());
		if (neighbour) result.closes = await attempt(() => neighbour.close());
	}
	const reader = open(file, { foreignSqlite: 'off' });
	result.rows = reader.prepare('SELECT who, count(*) FROM visit GROUP BY who').raw().all();
	result.integrity = reader.pragma('integrity_check', { simple: true });
	reader.close();
	delete result['close report'];
	console.log(JSON.stringify(result));
	process.exit(0);
}

if (process.argv[3] === 'child') child(process.argv[2], process.argv[5]);
else main(...process.argv.slice(2, 6));
