'use strict';
// What the README shows of Node is what runs: every block, as it stands there.
const { test } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { spawnSync } = require('node:child_process');
const ecosystem = require('./ecosystem')();

const readme = fs.readFileSync(path.join(__dirname, '../../README.md'), 'utf8');
const target = path.join(__dirname, '..', '..', 'target');
const library = process.env.LITEKEEL_LIBRARY || ['release', 'fast', 'debug'].map((profile) => path.join(target, profile, 'liblitekeel.so')).find(fs.existsSync);
const env = { ...process.env, LITEKEEL_LIBRARY: library };
delete env.DATABASE_URL;

/** The bodies of the blocks in one language. */
const blocks = (language) => readme.split(`\`\`\`${language}\n`).slice(1).map((rest) => rest.split('```')[0]);
/** The blocks that begin with a comment naming their file. */
const named = (language) => Object.fromEntries(blocks(language).map((code) => [/^(?:\/\/|#) (\S+)\n/.exec(code)?.[1], code]).filter(([name]) => name));

function project(t) {
	const directory = fs.mkdtempSync(path.join(ecosystem.directory, 'run-'));
	t.after(() => fs.rmSync(directory, { recursive: true }));
	return directory;
}
function run(cwd, args) {
	const result = spawnSync(process.execPath, args, { cwd, env, encoding: 'utf8' });
	assert.strictEqual(result.status, 0, result.stdout + result.stderr);
	return result.stdout;
}

test('the plain program runs and leaves the file alone', (t) => {
	const directory = project(t);
	const [code, ...others] = blocks('js');
	assert.deepStrictEqual(others, []);
	fs.writeFileSync(path.join(directory, 'app.js'), code);
	assert.strictEqual(run(directory, ['app.js']), "[ { who: 'Ada' } ] wal\n");
	assert.deepStrictEqual(fs.readdirSync(path.join(directory, 'data')), ['app.db']);
});

test('the Drizzle project type-checks, generates its migration and runs', (t) => {
	const directory = project(t);
	const sources = named('ts');
	assert.deepStrictEqual(Object.keys(sources), ['schema.ts', 'client.ts', 'drizzle.config.ts', 'app.ts']);
	for (const [name, code] of Object.entries({ ...sources, ...named('sh') })) fs.writeFileSync(path.join(directory, name), code);
	const config = { compilerOptions: { strict: true, noEmit: true, skipLibCheck: true, module: 'esnext', moduleResolution: 'bundler', target: 'es2022', types: ['node'] }, include: ['*.ts'] };
	fs.writeFileSync(path.join(directory, 'tsconfig.json'), JSON.stringify(config));
	const checked = spawnSync(ecosystem.bin('tsc'), ['-p', directory], { encoding: 'utf8' });
	assert.strictEqual(checked.stdout, '');

	const tools = path.join(ecosystem.directory, 'node_modules');
	run(directory, [path.join(tools, 'drizzle-kit/bin.cjs'), 'generate']);
	const program = [path.join(tools, 'tsx/dist/cli.mjs'), '--env-file=.env', 'app.ts'];
	assert.strictEqual(run(directory, program), "[ { id: 1, who: 'Ada' } ]\n");
	// drizzle-kit reads the same URL, parameters and all, and finds everything applied.
	run(directory, [path.join(tools, 'drizzle-kit/bin.cjs'), 'migrate']);
	assert.strictEqual(run(directory, program), "[ { id: 1, who: 'Ada' }, { id: 2, who: 'Ada' } ]\n");
	assert.deepStrictEqual(fs.readdirSync(path.join(directory, 'data')), ['app.db']);
});

test('the commands and the overrides name packages that are packed', () => {
	const { packages } = require('../pack');
	const mentioned = new Set([...readme.matchAll(/npm:(@litekeel\/[\w-]+)/g)].map(([, name]) => name));
	assert.ok(mentioned.size > 0);
	for (const name of mentioned) assert.ok(packages().includes(name), name);
	for (const code of blocks('json')) JSON.parse(code);
});

test('the settings that the README lists are the table\'s', () => {
	const { settings } = require('../settings-types');
	const rows = [...readme.split('## The URL')[1].split('## When')[0].matchAll(/^\| `(\w+)` \| `([^`]+)` \|/gm)];
	assert.ok(rows.length > 4);
	const production = new Map([...fs.readFileSync(path.join(__dirname, '../../docs/settings.md'), 'utf8').split('## Profiles')[1].matchAll(/^\| `(\w+)` \| (\S+) \|/gm)].map(([, key, value]) => [key, value]));
	for (const [, key, fallback] of rows) {
		const row = settings().find((one) => one.key === key);
		assert.ok(row, key);
		assert.strictEqual(fallback, row.fallback || production.get(key), key);
	}
});
