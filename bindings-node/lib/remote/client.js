'use strict';
// A server's Database behind the interface of @libsql/client, for what is written for that: Drizzle's asynchronous driver.
const { fixed, own } = require('../own-properties');
const { query, batch } = require('./database');

/** `{ sql, args }`, or SQL alone. */
function taken(statement, args) {
	const { sql, args: more = args } = typeof statement === 'string' ? { sql: statement } : statement;
	return [sql, ...(more === undefined ? [] : [more])];
}

/** A row by number and by name; only the names are listed. */
function row(names, values) {
	const out = {};
	Object.defineProperty(out, 'length', fixed(values.length));
	for (let at = 0; at < values.length; ++at) Object.defineProperty(out, at, { ...own(values[at]), enumerable: false });
	for (let at = 0; at < values.length; ++at) {
		if (!Object.hasOwn(out, names[at])) Object.defineProperty(out, names[at], own(values[at]));
	}
	return out;
}

function resultSet([[changes, rowid], [columns, ...rows]]) {
	return { columns, rows: rows.map((values) => row(columns, values)), rowsAffected: changes, lastInsertRowid: rowid };
}

/** What runs on one connection. */
const executor = (db) => ({
	async execute(statement, args) {
		const [sql, ...rest] = taken(statement, args);
		return resultSet(await query(db, sql, rest));
	},
});

/** The client of a Database that `open()` has made of a server's URL. */
module.exports = function clientOf(db) {
	const all = async (list, migrates) => (await batch(db, list.map((one) => taken(one)), migrates)).map(resultSet);
	return {
		...executor(db),
		batch: (list) => all(list, false),
		migrate: (list) => all(list, true),

		/** A transaction on a connection of its own, until `commit` or `rollback`. */
		transaction() {
			return new Promise((begun, failed) => {
				let commit;
				let rollback;
				const undone = new Error('rolled back');
				const over = db.transactionAsync((tx) => new Promise((resolve, reject) => {
					commit = resolve;
					rollback = () => reject(undone);
					begun({
						...executor(tx),
						async commit() { commit(); await over; },
						async rollback() { rollback(); await over.catch((error) => { if (error !== undone) throw error; }); },
						close() { rollback(); },
					});
				}));
				over.catch((error) => { if (error !== undone) failed(error); });
			});
		},

		close() { db.close(); },
		get closed() { return !db.open; },
		protocol: 'http',
	};
};
