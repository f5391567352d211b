'use strict';
// Whoever moves from another database passes its URL once by mistake: no password or token of it stands in what is said.
const { test } = require('node:test');
const assert = require('node:assert');
const { inspect } = require('node:util');
const litekeel = require('../lib');

const CANARY = 'c4nary';
const URLS = [
	// Of a server, which has no such setting.
	`libsql://h.turso.io?authToken=${CANARY}&busy_timeout=1s`,
	`postgres://user:${CANARY}@h/x`,
	`postgres://h/x?password=${CANARY}`,
	`"libsql://h?authToken=${CANARY}"`,
	`file:a.db?password=${CANARY}`,
	`file:a.db?mode=${CANARY}`,
	`file:a.db?mode=ro&mode=${CANARY}`,
	`file:a.db?_pragma=key(${CANARY})`,
	`a.db?password=${CANARY}`,
	`host=h password=${CANARY}`,
];

const said = (call) => {
	try {
		call();
	} catch (error) {
		return `${error} ${error.stack} ${error.hint} ${inspect(error, { depth: 5, showHidden: true })} ${JSON.stringify(error)}`;
	}
	return assert.fail('it was taken');
};

test('no secret of a URL stands in an error', () => {
	for (const url of URLS) {
		for (const call of [() => litekeel.open(url), () => litekeel.databaseFile(url)]) {
			const text = said(call);
			assert.ok(!text.includes(CANARY), `${url}: ${text}`);
			assert.ok(text.includes('KEEL_'), text);
		}
	}
});

test('nor of an option', () => {
	for (const options of [{ password: CANARY }, { authToken: CANARY }, { mode: CANARY }, { nofollow: CANARY }, { fileMode: CANARY }, { _timeout: CANARY }]) {
		const text = said(() => litekeel.open('file:a.db', options));
		assert.ok(!text.includes(CANARY), `${inspect(options)}: ${text}`);
	}
});

test('nor of an ignored fragment in the report', () => {
	const db = litekeel.open(`:memory:#${CANARY}`);
	assert.ok(!inspect(db.report, { depth: 5 }).includes(CANARY));
	assert.strictEqual(db.report.warnings.length, 1);
	db.close();
});

/** xorshift; `SEED` repeats a run. */
function random(seed) {
	let state = BigInt(seed) || 1n;
	const next = () => { state ^= (state << 13n) & 0xffffffffffffffffn; state ^= state >> 7n; state ^= (state << 17n) & 0xffffffffffffffffn; return state; };
	return { below: (limit) => Number(next() % BigInt(limit)), of: (list) => list[Number(next() % BigInt(list.length))] };
}

test('no token is shown wherever it stands: in errors, reports, lists and events', async (t) => {
	const seed = process.env.SEED ?? String(Date.now());
	t.diagnostic(`SEED=${seed}`);
	const { below, of } = random(seed);
	const folder = require('./temporary')(t);
	const key = () => of(['password', 'authToken', 'auth_token', 'key', 'hexkey', 'token', 'sslkey', 'secret', 'Password', 'pass%77ord', '_pragma', 'x', '']);
	const setting = () => of(['mode', 'busy_timeout', 'synchronous', 'cache_size', 'profile', 'vfs', 'foreign_keys', 'journal_mode', 'tls', 'share']);
	const scheme = () => of(['libsql', 'LibSQL', 'https', 'wss', 'http', 'postgres', 'mysql', 'redis', 'mongodb+srv', 'jdbc:sqlite', 'jdbc:sqlserver', 'sqlcipher', 'unknown']);
	const file = () => of([`file:${folder}/a.db`, `sqlite:${folder}/a.db`, ':memory:', 'file::memory:']);
	const forms = [
		(secret) => `${scheme()}://user:${secret}@127.0.0.1:1/x`,
		(secret) => `${scheme()}://${secret}@127.0.0.1:1/x`,
		(secret) => `${scheme()}://127.0.0.1:1/x?${key()}=${secret}`,
		(secret) => `${scheme()}://127.0.0.1:1?${setting()}=1&${key()}=${secret}`,
		(secret) => `${scheme()}://127.0.0.1:1?${key()}=1&${key()}=${secret}#${secret}`,
		(secret) => `${scheme()}://127.0.0.1:1;${key()}=${secret}`,
		(secret) => `${file()}?${key()}=${secret}`,
		(secret) => `${file()}?${setting()}=${secret}`,
		(secret) => `${file()}?mode=rwc&${key()}=1&${key()}=${secret}`,
		(secret) => `${file()}?${key()}=key(${secret})`,
		(secret) => `${file()}#${secret}`,
		(secret) => `${file()}?mode=rwc#${secret}`,
		(secret) => `Data Source=${folder}/a.db;${key()}=${secret}`,
	];
	const around = [(url) => url, (url) => url, (url) => url, (url) => `"${url}"`, (url) => `'${url}`, (url) => ` ${url}`, (url) => `${url}\n`];
	const shown = (value) => `${value} ${value?.stack} ${inspect(value, { depth: 6, showHidden: true, getters: true })} ${JSON.stringify(value, (name, given) => (typeof given === 'bigint' ? String(given) : given))}`;
	// What is taken for a relative path is seen at the end.
	const before = process.cwd();
	process.chdir(folder);
	t.after(() => process.chdir(before));
	const [taken, refused] = [[], []];
	for (let n = 0; n < 400; n++) {
		// As a machine makes them up: a word in the place of one of our own settings' values is shown, being a slip of the pen.
		const core = Array.from({ length: 10 }, () => of([...'abcdefghkmnpqrstuvwxyz']) + of([...'23456789'])).join('');
		const secret = `${of(['ey', 'pa$$', 's3cr3t-', 'k.', ''])}${core}`;
		const url = of(around)(of(forms)(secret));
		const look = (what, value) => assert.ok(!shown(value).includes(core), `${what} of ${url}: ${shown(value)}`);
		let db;
		try {
			db = below(4) === 0 ? litekeel.open({ url }) : litekeel.open(url);
		} catch (error) {
			refused.push(url);
			look('the error', error);
			continue;
		}
		taken.push(url);
		const events = [];
		try {
			for (const name of ['checkpointed', 'unhealthy', 'attached_warning']) try { db.on(name, (event) => events.push(event)); } catch (error) { look('a refusal', error); }
			look('the connection', db);
			look('the report', db.report);
			look('openHandles()', litekeel.openHandles());
			for (const call of ['health', 'holders', 'walStatus']) {
				try { look(call, await db[call]?.()); } catch (error) { look(`the error of ${call}`, error); }
			}
			for (const call of [() => db.exec('SELECT * FROM nothing_here'), () => db.prepare('SELECT ?').get(), () => db.prepare('SELECT 1').all(), () => db.execAsync?.('SELECT 1'), () => db.readAsync?.('SELECT 1')]) {
				try { await call(); } catch (error) { look('a failure', error); }
			}
		} finally {
			try { await db.close(); } catch (error) { look('the error of close', error); }
			look('closeReport', db.closeReport);
			look('the events', events);
		}
	}
	assert.ok(taken.length > 10 && refused.length > 100, `${taken.length} taken, ${refused.length} refused`);
	assert.deepStrictEqual(require('node:fs').readdirSync(folder).filter((name) => !/^a\.db(-wal|-shm)?$/.test(name)), [], 'and no file is named by one');
});
