'use strict';
// The object can be built against another amalgamation: here better-sqlite3's, which is generated with --update-limit.
const test = require('node:test');
const assert = require('node:assert');
const path = require('node:path');
const { execFileSync } = require('node:child_process');

const root = path.join(__dirname, '..', '..');
const directory = path.join(__dirname, 'node_modules', 'better-sqlite3', 'deps', 'sqlite3');
const program = `
	const db = new (require(${JSON.stringify(path.join(__dirname, '..'))}))(':memory:');
	db.exec('CREATE TABLE t(a); INSERT INTO t VALUES (1), (2), (3)');
	const changed = (sql) => { try { return db.prepare(sql).run().changes; } catch (error) { return error.message; } };
	console.log(JSON.stringify({
		options: db.pragma('compile_options').map((row) => row.compile_options),
		update: changed('UPDATE t SET a = 9 ORDER BY a DESC LIMIT 2'),
		remove: changed('DELETE FROM t ORDER BY a LIMIT 1'),
		left: db.prepare('SELECT a FROM t').pluck().all(),
	}));
`;
const run = (library) => JSON.parse(execFileSync(process.execPath, ['-e', program], {
	encoding: 'utf8', env: { ...process.env, LITEKEEL_LIBRARY: library },
}));

test('UPDATE and DELETE take ORDER BY and LIMIT when the amalgamation does', { timeout: 600_000 }, () => {
	execFileSync(path.join(root, 'scripts', 'with-sqlite'), [directory, 'cargo', 'build', '--profile', 'fast', '--quiet'], { cwd: root, stdio: 'inherit' });
	const built = run(path.join(root, 'target', 'with-sqlite', 'fast', 'liblitekeel.so'));
	const ordinary = run(process.env.LITEKEEL_LIBRARY || path.join(root, 'target', 'release', 'liblitekeel.so'));

	assert.deepStrictEqual({ ...built, options: undefined }, { options: undefined, update: 2, remove: 1, left: [9, 9] });
	// The bundled copy cannot: were it to, this build would have no purpose.
	assert.match(ordinary.update, /near "ORDER": syntax error/);
	assert.deepStrictEqual(built.options.filter((option) => option !== 'ENABLE_UPDATE_DELETE_LIMIT'), ordinary.options);
	assert.ok(built.options.includes('ENABLE_UPDATE_DELETE_LIMIT'));
});
