// Asynchronous transactions of litekeel/drizzle, for both major versions of Drizzle.
import assert from 'node:assert';
import { setTimeout } from 'node:timers/promises';

export async function asynchronousTransactions(db, { page, count, sql }) {
	const pages = () => db.select({ n: count() }).from(page).all()[0].n;
	const add = (on, path) => on.insert(page).values({ siteId: 1, path }).run();
	db.run(sql`CREATE TABLE site(id INTEGER PRIMARY KEY, name TEXT NOT NULL)`);
	db.run(sql`CREATE TABLE page(id INTEGER PRIMARY KEY, site_id INTEGER NOT NULL REFERENCES site(id), path TEXT NOT NULL, tags TEXT)`);
	db.run(sql`INSERT INTO site VALUES (1, 'example.org')`);

	// Committed as a whole, and invisible until then.
	const committed = await db.transaction(async (tx) => {
		add(tx, '/a');
		await setTimeout(5);
		assert.strictEqual(pages(), 0);
		add(tx, '/b');
		return 'value';
	});
	assert.deepStrictEqual([committed, pages()], ['value', 2]);

	// Undone as a whole, by a rejection and by rollback().
	for (const fail of [() => { throw new Error('undo'); }, (tx) => tx.rollback()]) {
		await assert.rejects(db.transactionAsync(async (tx) => {
			add(tx, '/c');
			await setTimeout(1);
			fail(tx);
		}), /undo|Rollback/i);
		assert.strictEqual(pages(), 2);
	}

	// What runs beside it does not join it: it fails at once, and is not undone with it.
	await assert.rejects(db.transaction(async (tx) => {
		add(tx, '/d');
		assert.throws(() => add(db, '/beside'), (error) => {
			const cause = error.cause ?? error;
			return cause.code === 'SQLITE_BUSY' && cause.kind === 'own_async_transaction';
		});
		throw new Error('undo');
	}), /undo/);
	add(db, '/beside');
	assert.strictEqual(pages(), 3);

	// Two at a time are one after the other: no update is lost.
	await Promise.all(Array.from({ length: 5 }, () => db.transaction(async (tx) => {
		const n = tx.select({ n: count() }).from(page).all()[0].n;
		await setTimeout(1);
		add(tx, `/number/${n}`);
	})));
	assert.strictEqual(db.all(sql`SELECT DISTINCT path FROM page WHERE path LIKE '/number/%'`).length, 5);

	// Inside, a transaction is a savepoint; side by side they take turns.
	await db.transaction(async (tx) => {
		const outcomes = await Promise.allSettled([
			tx.transaction(async (inner) => { add(inner, '/kept'); await setTimeout(2); }),
			tx.transaction(async (inner) => {
				add(inner, '/lost');
				await inner.transaction(async (deeper) => add(deeper, '/lost too'));
				throw new Error('undo');
			}),
			tx.transaction((inner) => { add(inner, '/sync'); }),
		]);
		assert.deepStrictEqual(outcomes.map(({ status }) => status), ['fulfilled', 'rejected', 'fulfilled']);
	});
	assert.deepStrictEqual(db.all(sql`SELECT path FROM page WHERE path IN ('/kept', '/lost', '/lost too', '/sync') ORDER BY path`).map(({ path }) => path), ['/kept', '/sync']);

	// By the root database it is the same, and both kinds of transaction have the same members.
	await assert.rejects(db.transaction(async (tx) => {
		await db.transaction(async (inner) => { assert.strictEqual(inner.$client, tx.$client); add(inner, '/undone with the whole'); });
		assert.strictEqual(tx.$client.inTransaction, true);
		throw new Error('undo');
	}), /undo/);
	let refused;
	let own = false;
	db.transaction((tx) => {
		assert.strictEqual(tx.$client, db.$client);
		assert.throws(() => tx.transaction(async () => {}), TypeError);
		assert.strictEqual(tx.transaction((inner) => { assert.strictEqual(inner.$client, db.$client); add(inner, '/inside'); return 5; }), 5);
		// It would be no part of this one.
		refused = assert.rejects(tx.transactionAsync(async () => { own = true; }), (error) => error instanceof TypeError && /transactionAsync/.test(error.hint));
	});
	await refused;
	assert.strictEqual(own, false);
	// Drizzle 1 gives a promise of it.
	await assert.rejects(async () => db.transaction(() => Promise.resolve()), (error) => error instanceof TypeError && /transactionAsync/.test(error.hint));
	assert.strictEqual(db.all(sql`SELECT path FROM page WHERE path IN ('/inside', '/undone with the whole')`).length, 1);

	// Aborted, and refused where there is no second connection.
	const controller = new AbortController();
	const aborted = db.transactionAsync(async (tx) => { add(tx, '/e'); controller.abort(); }, { signal: controller.signal });
	await assert.rejects(aborted, { name: 'AbortError' });
	await assert.rejects(db.transaction(async () => {}, { behavior: 'exclusive' }), TypeError);
	assert.strictEqual(db.all(sql`SELECT path FROM page WHERE path = '/e'`).length, 0);
	db.$client.close();
}
