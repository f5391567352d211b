'use strict';
// node trace.js <module> <major of better-sqlite3> <file of cases>…: prints {case: [observations]} as JSON.
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { Observer } = require('./observe');

const [modulePath, major, ...files] = process.argv.slice(2);
const Database = require(modulePath);

(async () => {
	const trace = {};
	for (const file of files) {
		const cases = require(path.resolve(file));
		for (const [name, body] of Object.entries(cases)) {
			const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'keel-diff-'));
			const observer = new Observer(directory);
			try {
				await body({ Database, o: observer, dir: directory, major: Number(major), file: path.join(directory, 'test.db') });
			} catch (error) {
				observer.write('case ended by', String(error && error.stack).split('\n')[0]);
			}
			trace[`${path.basename(file, '.js')}: ${name}`] = observer.lines;
			fs.rmSync(directory, { recursive: true, force: true });
		}
	}
	fs.writeSync(1, JSON.stringify(trace));
})();
