'use strict';
const core = require('./core');
const { prepare } = require('./statement');

const controls = new WeakMap();
// The name better-sqlite3 gives it: `verbose` shows it, and tools filter their logs by it.
const SAVEPOINT = '`\t_bs3.\t`';

/** The control statements of a connection, compiled once. */
function controlOf(db) {
	let control = controls.get(db);
	if (control === undefined) {
		control = {
			begin: { default: 'BEGIN', deferred: 'BEGIN DEFERRED', immediate: 'BEGIN IMMEDIATE', exclusive: 'BEGIN EXCLUSIVE' },
			commit: 'COMMIT', rollback: 'ROLLBACK', savepoint: `SAVEPOINT ${SAVEPOINT}`, release: `RELEASE ${SAVEPOINT}`, rollbackTo: `ROLLBACK TO ${SAVEPOINT}`,
		};
		for (const key of Object.keys(control.begin)) control.begin[key] = prepare(db, control.begin[key], true);
		for (const key of ['commit', 'rollback', 'savepoint', 'release', 'rollbackTo']) control[key] = prepare(db, control[key], true);
		controls.set(db, control);
	}
	return control;
}

/** `db.transaction(fn)`: `fn` inside a transaction, or inside a savepoint when one is open already. */
module.exports = function transaction(fn) {
	if (typeof fn !== 'function') throw new TypeError('Expected first argument to be a function');
	core.state(this);
	const db = this;
	const control = controlOf(db);
	const wrap = (begin) => function sqliteTransaction(...args) {
		const nested = db.inTransaction;
		(nested ? control.savepoint : begin).run();
		try {
			const result = Reflect.apply(fn, this, args);
			if (result && typeof result.then === 'function') throw new TypeError('Transaction function cannot return a promise');
			(nested ? control.release : control.commit).run();
			return result;
		} catch (error) {
			// SQLite may have rolled back by itself: then there is nothing to undo.
			if (db.inTransaction) {
				(nested ? control.rollbackTo : control.rollback).run();
				if (nested) control.release.run();
			}
			throw error;
		}
	};
	const variants = {};
	for (const kind of Object.keys(control.begin)) variants[kind] = { value: wrap(control.begin[kind]) };
	variants.database = { value: db, enumerable: true };
	for (const kind of Object.keys(control.begin)) Object.defineProperties(variants[kind].value, variants);
	return variants.default.value;
};
