'use strict';
// The tarballs, installed into an empty project without any script.
const { test } = require('node:test');
const assert = require('node:assert');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const target = path.join(__dirname, '..', '..', 'target');
const library = ['release', 'fast', 'debug'].map((profile) => path.join(target, profile, 'liblitekeel.so')).find(fs.existsSync);

test('litekeel, its platform package and the alias install from tarballs', () => {
	const project = fs.mkdtempSync(path.join(os.tmpdir(), 'keel-project-'));
	const tarballs = path.join(project, 'tarballs');
	execFileSync(process.execPath, [path.join(__dirname, '..', 'pack.js'), tarballs, library]);
	const file = (start) => `file:${path.join(tarballs, fs.readdirSync(tarballs).find((name) => name.startsWith(start)))}`;
	fs.writeFileSync(path.join(project, 'package.json'), JSON.stringify({ private: true, dependencies: { litekeel: file('litekeel-0'), '@litekeel/linux-x64-gnu': file('litekeel-linux'), 'better-sqlite3': file('better-sqlite3-13') } }));
	execFileSync('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', '--offline'], { cwd: project });
	const script = "import Named, { SqliteError } from 'litekeel'; import Alias from 'better-sqlite3'; import { createRequire } from 'node:module'; const native = createRequire(import.meta.url)('litekeel'); console.log(JSON.stringify([Named === Alias, Named === native, SqliteError === Named.SqliteError, new Alias(':memory:').prepare('SELECT 1 AS a').get()]))";
	const answer = execFileSync(process.execPath, ['--input-type=module', '-e', script], { cwd: project, encoding: 'utf8', env: { ...process.env, LITEKEEL_LIBRARY: '' } });
	assert.deepStrictEqual(JSON.parse(answer), [true, true, true, { a: 1 }]);
	fs.rmSync(project, { recursive: true });
});
