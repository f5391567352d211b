'use strict';
// Functions in views, triggers and indexes of a connection that does not trust the schema.
const { test } = require('node:test');
const assert = require('node:assert');
const litekeel = require('../lib');

test('a function that is innocuous may be called by the schema, any other not', () => {
	const db = litekeel.open(':memory:').exec('CREATE TABLE t(a); INSERT INTO t VALUES (1), (2)');
	const define = {
		function: (options) => db.function('f', options, (a) => a + 1),
		aggregate: (options) => db.aggregate('f', { ...options, start: 0, step: (sum, a) => sum + a }),
	};
	for (const [kind, make] of Object.entries(define)) {
		make({});
		db.exec('DROP VIEW IF EXISTS v; CREATE VIEW v AS SELECT f(a) AS a FROM t');
		assert.throws(() => db.prepare('SELECT * FROM v').all(), /unsafe use of f\(\)/, kind);
		make({ innocuous: false });
		assert.throws(() => db.prepare('SELECT * FROM v').all(), /unsafe use of f\(\)/, kind);
		make({ innocuous: true });
		assert.deepStrictEqual(db.prepare('SELECT * FROM v').pluck().all(), kind === 'function' ? [2, 3] : [3]);
		assert.throws(() => make({ innocuous: 1 }), new TypeError('Expected the "innocuous" option to be a boolean'));
		// With both, SQL of the schema may not call it: the narrower one holds.
		make({ innocuous: true, directOnly: true });
		assert.throws(() => db.prepare('SELECT * FROM v').all(), /unsafe use of f\(\)/, kind);
	}
	db.close();
});
