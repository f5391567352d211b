'use strict';
// The type declarations: strict, for both module systems, in @types/better-sqlite3's place, and true to the module.
const { test } = require('node:test');
const assert = require('node:assert');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const ecosystem = require('./ecosystem')();
const { FILE, generate, settings } = require('../settings-types');

const SOURCES = path.join(__dirname, 'types');
const CONFIG = { strict: true, noEmit: true, skipLibCheck: false, exactOptionalPropertyTypes: true, noPropertyAccessFromIndexSignature: true, types: ['node'], target: 'es2022' };

/** Checks `files` (name → source) in a directory beside the installed packages; returns what the compiler says. */
function check(t, files, options, project = ecosystem.directory) {
	const directory = fs.mkdtempSync(path.join(project, 'types-'));
	t.after(() => fs.rmSync(directory, { recursive: true }));
	for (const [name, source] of Object.entries(files)) fs.writeFileSync(path.join(directory, name), source);
	fs.writeFileSync(path.join(directory, 'tsconfig.json'), JSON.stringify({ compilerOptions: { ...CONFIG, ...options }, files: Object.keys(files) }));
	return spawnSync(ecosystem.bin('tsc'), ['-p', directory], { encoding: 'utf8' }).stdout;
}
const source = (name) => fs.readFileSync(path.join(SOURCES, name), 'utf8');

for (const module of ['node16', 'nodenext']) {
	test(`a program in CommonJS and in ESM type-checks (${module})`, (t) => {
		const program = source('program.ts');
		assert.strictEqual(check(t, { 'program.mts': program, 'program.cts': program.replace("import Database, { SqliteError, KeelError, open, type Tuned, type OpenOptions, type CloseReport } from 'litekeel';",
			"import Database = require('litekeel');\nconst { SqliteError, KeelError, open } = Database;\ntype Tuned = Database.Tuned; type OpenOptions = Database.OpenOptions; type CloseReport = Database.CloseReport;") }, { module }), '');
	});
}

test('a bundler\'s resolution finds them too', (t) => {
	assert.strictEqual(check(t, { 'program.ts': source('program.ts') }, { module: 'esnext', moduleResolution: 'bundler' }), '');
});

test('litekeel\'s objects are assignable to @types/better-sqlite3', (t) => {
	assert.strictEqual(check(t, { 'assignable.cts': source('assignable.ts') }, { module: 'node16' }), '');
});

test('a program that was typed by @types/better-sqlite3 type-checks, under that name and with litekeel in its place', (t) => {
	const program = source('switched.ts');
	const files = { 'switched.mts': program, 'switched.cts': program, 'renamed.mts': program.replaceAll("'better-sqlite3'", "'litekeel'"), 'renamed.cts': program.replaceAll("'better-sqlite3'", "'litekeel'") };
	assert.strictEqual(check(t, files, { module: 'nodenext', esModuleInterop: true, noUncheckedIndexedAccess: true }), '');
});

test('every type of the module has its name in ESM too', () => {
	const lib = path.join(__dirname, '..', 'lib');
	const text = fs.readFileSync(path.join(lib, 'index.d.ts'), 'utf8');
	const space = text.slice(text.indexOf('declare namespace Database {'));
	const names = [...space.slice(0, space.indexOf('\n}')).matchAll(/^\t(?:interface|type) (\w+)/gm)].map(([, name]) => name);
	const esm = fs.readFileSync(path.join(lib, 'index.d.mts'), 'utf8');
	const exported = [...esm.matchAll(/^export (?:import|type) (?:\{ )?(\w+)/gm)].map(([, name]) => name);
	assert.ok(names.length > 40);
	assert.deepStrictEqual(exported.toSorted(), names.toSorted());
});

/** What the compiler says of litekeel's own declarations; other packages have errors of their own. */
const ofOurs = (said) => said.split('\n').filter((line) => /node_modules\/litekeel\//.test(line));

for (const [name, file, project] of [['0.45', 'drizzle.ts', ecosystem.directory], ['1', 'drizzle-1.ts', ecosystem.next]]) {
	test(`litekeel's own declarations for Drizzle ${name} are whole`, (t) => {
		for (const kind of ['mts', 'cts']) {
			const said = check(t, { [`drizzle.${kind}`]: source(file) }, { ...DRIZZLE, skipLibCheck: false, module: 'nodenext' }, project);
			assert.deepStrictEqual(ofOurs(said), []);
		}
	});
}

const DRIZZLE = { skipLibCheck: true, exactOptionalPropertyTypes: false, noPropertyAccessFromIndexSignature: false };

for (const module of ['mts', 'cts']) {
	test(`Drizzle 0.45 on litekeel/drizzle type-checks (${module})`, (t) => {
		assert.strictEqual(check(t, { [`drizzle.${module}`]: source('drizzle.ts') }, { ...DRIZZLE, module: 'nodenext' }), '');
	});
	test(`Drizzle 1 on litekeel/drizzle/1 type-checks (${module})`, (t) => {
		assert.strictEqual(check(t, { [`drizzle.${module}`]: source('drizzle-1.ts') }, { ...DRIZZLE, module: 'nodenext' }, ecosystem.next), '');
	});
}

test('the compiler does refuse what is wrong', (t) => {
	assert.match(check(t, { 'wrong.mts': "import { open } from 'litekeel'; open(5);" }, { module: 'node16' }), /error TS2769/);
});

test('the options of open are the settings of the table', () => {
	assert.ok(settings().length > 30);
	assert.strictEqual(fs.readFileSync(FILE, 'utf8'), generate(), 'lib/settings.d.ts is stale: make header');
});

test('the page of the Node API is written from the declarations', () => {
	const page = require('../api-page');
	const text = fs.readFileSync(page.FILE, 'utf8');
	assert.strictEqual(text, page.generate(), 'docs/node-api.md is stale: make header');
	const Database = require('..');
	const own = (object) => Object.getOwnPropertyNames(object).filter((name) => !['constructor', 'prototype', 'length', 'name'].includes(name));
	for (const name of own(Database)) assert.ok(text.includes(`### \`${name}\`\n`), name);
	for (const name of own(Database.prototype)) assert.ok(text.includes(`### \`db.${name}\`\n`), name);
	for (const name of own(Object.getPrototypeOf(new Database(':memory:').prepare('SELECT 1')))) assert.ok(text.includes(`### \`statement.${name}\`\n`), name);
});

test('every member of the module is declared, and nothing else is', () => {
	const Database = require('..');
	const text = fs.readFileSync(path.join(__dirname, '..', 'lib', 'index.d.ts'), 'utf8');
	const members = (head) => {
		const at = text.indexOf(head);
		const indent = /\t*$/.exec(text.slice(0, at))[0];
		const body = text.slice(at, text.indexOf(`\n${indent}}`, at));
		return new Set([...body.matchAll(new RegExp(`^${indent}\\t(?:readonly )?(\\w+)(?=[?(<:])`, 'gm'))].map(([, name]) => name).filter((name) => name !== 'new'));
	};
	const sorted = (names) => [...names].sort();
	const db = new Database(':memory:');
	const statement = db.prepare('SELECT 1');
	const own = (object) => Object.getOwnPropertyNames(object).filter((name) => name !== 'constructor');
	assert.deepStrictEqual(sorted(members('interface DatabaseInstance {')), sorted([...own(Database.prototype), ...Object.keys(db)]));
	assert.deepStrictEqual(sorted(members('interface StatementOf<BindParameters extends unknown[], Result = unknown> {')), sorted([...own(Object.getPrototypeOf(statement)), ...Object.keys(statement)]));
	assert.deepStrictEqual(sorted(members('interface DatabaseConstructor {')), sorted(own(Database).filter((name) => !['length', 'name'].includes(name))));
	db.close();
});
