// Processes that start together each call `migrate`: every migration runs once. Here the second one comes at the worst
// moment, when the first has looked which migrations are applied and has not applied them yet; then eight come at once.
import assert from 'node:assert';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';

/** `next`: whether this is Drizzle 1, whose folders look otherwise. */
export default async function together({ drizzle, migrate, next }) {
	const config = { migrationsFolder: 'migrations' };
	if (process.argv[2]) {
		writeFileSync(`ready-${process.argv[2]}`, '');
		while (!existsSync('go')) await new Promise((resolve) => { setTimeout(resolve, 1); });
		const db = drizzle('file:together.db?busy_timeout=60s');
		migrate(db, config);
		db.$client.close();
		process.exit();
	}

	// Run twice, the second doubles the sum, and no error would say so.
	const steps = ['CREATE TABLE IF NOT EXISTS account(cents INTEGER);--> statement-breakpoint\nINSERT INTO account VALUES(1);', 'UPDATE account SET cents = cents * 100;'];
	const tag = (at) => `2026010100000${at}_step`;
	const add = (at) => {
		if (next) {
			mkdirSync(`migrations/${tag(at)}`, { recursive: true });
			writeFileSync(`migrations/${tag(at)}/migration.sql`, steps[at]);
		} else {
			mkdirSync('migrations/meta', { recursive: true });
			writeFileSync(`migrations/${tag(at)}.sql`, steps[at]);
			writeFileSync('migrations/meta/_journal.json', JSON.stringify({ version: '7', dialect: 'sqlite', entries: steps.slice(0, at + 1).map((_, idx) => ({ idx, version: '6', when: idx + 1, tag: tag(idx), breakpoints: true })) }));
		}
	};
	const state = (db) => db.$client.prepare('SELECT (SELECT group_concat(cents) FROM account) AS cents, (SELECT count(*) FROM __drizzle_migrations) AS applied').get();

	add(0);
	add(1);
	const second = drizzle('file:worst.db?busy_timeout=20ms');
	const met = [];
	// Drizzle logs each statement before it runs: here the first one after its look at what is applied.
	const logger = { logQuery: (text) => {
		if (met.length > 0 || !/^BEGIN|account/.test(text)) return;
		try { migrate(second, config); met.push('went in between'); } catch (error) { met.push((error.cause ?? error).code); }
	} };
	const first = drizzle({ connection: 'file:worst.db', logger });
	migrate(first, config);
	assert.deepStrictEqual(met, ['SQLITE_BUSY']);
	migrate(second, config);
	assert.deepStrictEqual(state(second), { cents: '100', applied: 2 });
	// Where nothing is left to do, a held write lock is in nobody's way.
	first.$client.exec('BEGIN IMMEDIATE');
	migrate(second, config);
	first.$client.exec('ROLLBACK');
	// A migration that fails leaves nothing, and no transaction open.
	steps.push('INSERT INTO account VALUES(7);--> statement-breakpoint\nINSERT INTO nowhere VALUES(1);');
	add(2);
	assert.throws(() => migrate(first, config), (error) => /nowhere/.test((error.cause ?? error).message));
	assert.strictEqual(first.$client.inTransaction, false);
	assert.deepStrictEqual(state(second), { cents: '100', applied: 2 });
	for (const db of [first, second]) db.$client.close();

	steps[2] = 'UPDATE account SET cents = cents + 1;';
	add(2);
	const ended = Array.from({ length: 8 }, (_, at) => new Promise((resolve) => {
		spawn(process.execPath, [process.argv[1], String(at)], { stdio: ['ignore', 'inherit', 'inherit'] }).once('exit', resolve);
	}));
	while (readdirSync('.').filter((name) => name.startsWith('ready-')).length < 8) await new Promise((resolve) => { setTimeout(resolve, 5); });
	writeFileSync('go', '');
	assert.deepStrictEqual(await Promise.all(ended), new Array(8).fill(0));
	const db = drizzle('file:together.db');
	assert.deepStrictEqual(state(db), { cents: '101', applied: 3 });
	db.$client.close();
}
