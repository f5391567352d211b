'use strict';
// What the documentation shows works: every block of code is run, or at least read by its language, or says why it is not.
const { test } = require('node:test');
const assert = require('node:assert');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { spawn, spawnSync } = require('node:child_process');
const { once } = require('node:events');
const { root, pages, blocks, blocksOf } = require('./book');
const runtimes = require('./runtimes');
const temporary = require('./temporary');
const { packAll } = require('../pack');
const ecosystem = require('./ecosystem')();
const library = require('./library');

const env = { ...process.env, LITEKEEL_LIBRARY: library, NODE_NO_WARNINGS: '1' };
for (const name of ['DATABASE_URL', 'NODE_OPTIONS', 'NODE_TEST_CONTEXT']) delete env[name];
const command = path.join(path.dirname(library), 'litekeel');
const all = blocks();
const ours = (language) => all.filter((block) => block.language === language && !block.mark);
const module_ = (name) => require(path.join(ecosystem.directory, 'node_modules', name));
// Fastify and vitest need a newer Node than litekeel does.
const node = fs.existsSync(runtimes.node(24)) ? runtimes.node(24) : process.execPath;

/** The program, or null: then the test is skipped, but not in CI. */
function needed(t, program, argument = '--version') {
	if (!spawnSync(program, [argument]).error) return true;
	assert.notStrictEqual(process.env.CI, 'true', `${program} is missing`);
	t.skip(`${program} is not installed`);
	return false;
}
function passes(at, program, args, options = {}) {
	const result = spawnSync(program, args, { encoding: 'utf8', env, ...options });
	assert.strictEqual(result.status, 0, `${at}: ${program} ${args.join(' ')}\n${result.stdout}${result.stderr}${result.error ?? ''}`);
	return result.stdout;
}
function project(t) {
	const directory = fs.mkdtempSync(path.join(ecosystem.directory, 'run-'));
	t.after(() => fs.rmSync(directory, { recursive: true }));
	return directory;
}

/** The languages that a test below takes. */
const TAKEN = ['c', 'console', 'cpp', 'crontab', 'diff', 'dockerfile', 'ini', 'js', 'json', 'sh', 'ts', 'yaml'];

test('every block has a language that is tried, or says who runs it, or why nobody does', () => {
	assert.ok(all.length > 50, `${all.length} blocks`);
	for (const { at, language, mark } of all) {
		const runner = /^run by (\S+)$/.exec(mark ?? '')?.[1];
		if (runner) assert.match(fs.readFileSync(path.join(root, runner), 'utf8'), /README\.md|docs\//, `${at}: ${runner} does not read it`);
		else if (!mark) assert.ok(TAKEN.includes(language), `${at}: nobody tries a block in "${language}"`);
	}
	// The reader of the blocks does see them: one that is not closed, one in a list, one with a mark.
	const [first, second] = blocksOf('x.md', '<!-- not run: why -->\n```sh\na\n```\n- b\n  ```js\n  c\n  ```\n');
	assert.deepStrictEqual([first.mark, first.code, second.mark, second.language], ['not run: why', 'a\n', undefined, 'js']);
});

test('JavaScript and TypeScript can be read, JSON and YAML too', () => {
	const { transformSync } = module_('esbuild');
	for (const { at, code, language } of [...ours('js'), ...ours('ts')]) assert.doesNotThrow(() => transformSync(code, { loader: language, logLevel: 'silent' }), at);
	for (const { at, code } of ours('json')) assert.doesNotThrow(() => JSON.parse(code), at);
	for (const { at, code } of ours('yaml')) assert.doesNotThrow(() => module_('yaml').parse(code), at);
	for (const { at, code } of ours('diff')) {
		assert.doesNotThrow(() => transformSync(code.replace(/^-.*\n/gm, '').replace(/^\+/gm, ''), { logLevel: 'silent' }), at);
	}
	assert.throws(() => transformSync('const = 1', { loader: 'js', logLevel: 'silent' }));
});

test('a program that requires litekeel runs to its end', (t) => {
	const programs = ours('js').filter(({ code }) => code.includes("require('litekeel')") && !code.includes('process.env.PORT'));
	assert.ok(programs.length > 3, `${programs.length} programs`);
	for (const { at, code } of programs) {
		const directory = project(t);
		fs.writeFileSync(path.join(directory, 'app.js'), code);
		passes(at, node, ['app.js'], { cwd: directory });
		const left = fs.readdirSync(path.join(directory, 'data'), { recursive: true }).filter((name) => name.endsWith('-wal'));
		assert.deepStrictEqual(left, [], `${at}: not closed`);
	}
});

/** Starts a server of the book, asks for a page once it answers, and ends it as an orchestrator does. */
async function serves(t, { at, code }, page) {
	const directory = project(t);
	const { server, port } = await new Promise((resolve) => {
		const probe = http.createServer().listen(0, '127.0.0.1', () => resolve({ server: probe, port: probe.address().port }));
	});
	await new Promise((resolve) => { server.close(resolve); });
	fs.writeFileSync(path.join(directory, 'server.js'), code);
	const child = spawn(node, ['server.js'], { cwd: directory, env: { ...env, PORT: String(port), DATABASE_URL: 'file:data/app.db' }, stdio: ['ignore', 'inherit', 'inherit'] });
	const ended = once(child, 'exit');
	let response;
	while (!response && child.exitCode === null) {
		response = await fetch(`http://127.0.0.1:${port}${page}`, { headers: { connection: 'close' } }).catch(() => null);
		if (!response) await new Promise((resolve) => { setTimeout(resolve, 50); });
	}
	assert.ok(response, `${at} does not serve`);
	const body = await response.text();
	child.kill('SIGTERM');
	assert.deepStrictEqual(await ended, [0, null], at);
	assert.deepStrictEqual(fs.readdirSync(path.join(directory, 'data')), ['app.db'], at);
	return { status: response.status, body };
}

test('the health checks and the metrics serve, and close on SIGTERM', async (t) => {
	const servers = ours('js').filter(({ code }) => code.includes('process.env.PORT'));
	assert.deepStrictEqual(servers.map(({ code }) => code.split('\n')[0]), ['// Express 5', '// Fastify 5', '// Prometheus, with prom-client 15']);
	for (const server of servers.slice(0, 2)) assert.deepStrictEqual(await serves(t, server, '/health'), { status: 200, body: '{"good":true}' }, server.at);
	const { body } = await serves(t, servers[2], '/metrics');
	assert.match(body, /^sqlite_wal_bytes \d+$/m);
	assert.match(body, /^# TYPE sqlite_busy_wait_seconds histogram$/m);
});

test("Express: a client gets the code, the log gets the message", async (t) => {
	const [handler] = ours('js').filter(({ code }) => code.startsWith('// Express, as the last of its handlers'));
	const code = `const express = require('express');\nconst { open } = require('litekeel');\nconst db = open();\nconst app = express();
		app.get('/busy', () => { const other = open('file:data/app.db?busy_timeout=1'); const held = open('file:data/app.db'); held.exec('BEGIN IMMEDIATE'); try { other.exec('CREATE TABLE t(x)'); } finally { held.close(); other.close(); } });
		${handler.code}\nconst server = app.listen(process.env.PORT);\nprocess.once('SIGTERM', () => server.close(() => db.close()));\nconsole.error = () => {};`;
	assert.deepStrictEqual(await serves(t, { at: handler.at, code }, '/busy'), { status: 503, body: '{"error":"SQLITE_BUSY"}' });
});

/** The fragments of C and C++ use these: what the reader's program has around them. */
const AROUND = { c: '#include <litekeel/packed.h>\n#include <litekeel/sqlite3.h>\n#include <stdio.h>\n#include <stdint.h>\nstatic keel_db *db;\nstatic keel_error *err;\nstatic int code;\nstatic sqlite3_stmt *statement;\n', cpp: '#include <litekeel/litekeel.hpp>\n#include <string>\n' };

test('C and C++ compile against the headers, fragments inside of a function', (t) => {
	const directory = temporary(t);
	const include = passes('scripts/sqlite-include', path.join(root, 'scripts/sqlite-include'), [], { cwd: root }).trim();
	fs.mkdirSync(path.join(directory, 'litekeel'));
	fs.copyFileSync(path.join(root, 'include/litekeel.h'), path.join(directory, 'litekeel.h'));
	for (const name of ['packed.h', 'litekeel.hpp']) fs.copyFileSync(path.join(root, 'include/litekeel', name), path.join(directory, 'litekeel', name));
	fs.copyFileSync(path.join(include, 'sqlite3.h'), path.join(directory, 'litekeel/sqlite3.h'));
	const check = (at, language, code) => {
		const whole = /^int main\(/m.test(code);
		const text = whole ? code : `${AROUND[language]}int fragment(void);\nint fragment(void) {\n${code}\nreturn 0;\n}\n`;
		fs.writeFileSync(path.join(directory, `block.${language}`), text);
		const [compiler, standard] = language === 'c' ? ['cc', '-std=c11'] : ['c++', '-std=c++17'];
		return spawnSync(compiler, [standard, '-Wall', '-Wextra', '-Werror', '-Wno-unused-function', '-Wno-unused-variable', '-fsyntax-only', `-I${directory}`, `block.${language}`], { cwd: directory, encoding: 'utf8' }).stderr || at;
	};
	for (const language of ['c', 'cpp']) {
		if (!needed(t, language === 'c' ? 'cc' : 'c++')) return;
		const found = ours(language);
		assert.ok(found.length > 0);
		for (const { at, code } of found) assert.strictEqual(check(at, language, code), at);
		assert.match(check('control', language, 'keel_no_such_call();'), /keel_no_such_call/);
	}
});

/** A folder as the pages have it: a database, a copy of it, and `litekeel` on the path. */
function sample(t) {
	const directory = temporary(t);
	for (const name of ['bin', 'data', 'copies']) fs.mkdirSync(path.join(directory, name));
	fs.symlinkSync(command, path.join(directory, 'bin/litekeel'));
	const program = "const { open } = require(process.argv[1]); const db = open('file:data/app.db'); db.exec('CREATE TABLE visit(who)'); db.close(); const copy = open('file:copies/monday.db'); copy.exec('CREATE TABLE visit(who)'); copy.close();";
	passes('sample', process.execPath, ['-e', program, path.join(__dirname, '..')], { cwd: directory });
	return { directory, env: { ...env, PATH: `${directory}/bin:${process.env.PATH}` } };
}

test('shell: every block can be read, every line of the command runs, the nightly backups make a copy', (t) => {
	for (const { at, code } of ours('sh')) passes(at, 'bash', ['-n', '-c', code]);
	if (!fs.existsSync(command)) return t.skip(`${command} was not built`);
	const { directory, env: around } = sample(t);
	const lines = ours('sh').flatMap(({ at, code }) => code.split('\n').map((line) => ({ at, line: line.replace(/^(out\/bin\/|npx )/, '') })));
	const called = lines.filter(({ line }) => /^litekeel /.test(line));
	assert.ok(called.length > 1, `${called.length} lines`);
	for (const { at, line } of called) passes(at, 'bash', ['-ec', line], { cwd: directory, env: around });

	const here = (text) => text.replaceAll('/usr/local/bin/litekeel', 'litekeel').replaceAll('/var/lib/app', `${directory}/data`).replaceAll('/backup/', `${directory}/night/`).replaceAll('/backup ', `${directory}/night `);
	const jobs = [
		...ours('crontab').map(({ at, code }) => [at, code.replace(/^(\S+ +){5}\S+ +/, '').replaceAll('\\%', '%')]),
		...ours('ini').flatMap(({ at, code }) => [...code.matchAll(/^ExecStart=\/bin\/sh -c '(.*)'$/gm)].map(([, line]) => [at, line.replaceAll('%%', '%')])),
	];
	assert.strictEqual(jobs.length, 2);
	for (const [at, line] of jobs) {
		fs.mkdirSync(path.join(directory, 'night'));
		if (at.includes('backup')) passes(at, 'sh', ['-ec', here(line).replace('"app-', `"${directory}/night/app-`)], { cwd: directory, env: around });
		assert.match(fs.readdirSync(path.join(directory, 'night')).join(), /^app-\d{4}-\d\d-\d\d\.db$/, at);
		fs.rmSync(path.join(directory, 'night'), { recursive: true });
	}
});

test('systemd reads the units', (t) => {
	if (!needed(t, 'systemd-analyze')) return;
	const directory = temporary(t);
	const units = Object.fromEntries(ours('ini').map(({ code }) => [/^# (\S+)$/m.exec(code)[1], code.replaceAll('/usr/local/bin/litekeel', '/bin/true').replaceAll('/usr/bin/node', '/bin/true')]));
	assert.deepStrictEqual(Object.keys(units).sort(), ['app-backup.service', 'app-backup.timer', 'app.service']);
	for (const [name, text] of Object.entries(units)) fs.writeFileSync(path.join(directory, name), text);
	const verify = (names) => spawnSync('systemd-analyze', ['verify', '--man=no', ...names.map((name) => path.join(directory, name))], { encoding: 'utf8' });
	const { stderr } = verify(Object.keys(units));
	assert.ok(!stderr.includes(directory), stderr);
	fs.writeFileSync(path.join(directory, 'wrong.service'), '[Service]\nExecStartt=/bin/true\nStateDirectori=app\n');
	assert.match(verify(['wrong.service']).stderr, /StateDirectori/);
});

test('the steps of the Dockerfile make a service that starts, and closes on SIGTERM', async (t) => {
	const [dockerfile, ...others] = ours('dockerfile');
	assert.deepStrictEqual(others, []);
	const directory = temporary(t);
	const [source, image] = [path.join(directory, 'source'), path.join(directory, 'image')];
	const app = path.join(image, 'app');
	fs.mkdirSync(source);
	fs.mkdirSync(app, { recursive: true });
	packAll(path.join(source, 'packages'), { 'linux-x64-gnu': library });
	const [express] = ours('js').filter(({ code }) => code.startsWith('// Express 5'));
	fs.writeFileSync(path.join(source, 'server.js'), express.code.replace("require('express')", `require(${JSON.stringify(path.join(ecosystem.directory, 'node_modules/express'))})`));
	fs.writeFileSync(path.join(source, 'package.json'), JSON.stringify({ name: 'app', version: '1.0.0', dependencies: { litekeel: 'file:packages/litekeel-0.1.0.tgz', '@litekeel/linux-x64-gnu': 'file:packages/litekeel-linux-x64-gnu-0.1.0.tgz' } }));
	passes('lock file', 'npm', ['install', '--package-lock-only', '--offline', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: source });
	const inside = (text) => text.replaceAll('/data', path.join(image, 'data')).replaceAll('node:node', `${process.getuid()}:${process.getgid()}`);
	const around = { ...env };
	delete around.LITEKEEL_LIBRARY;
	let start;
	for (const line of dockerfile.code.trim().split('\n').filter((one) => !one.startsWith('#'))) {
		const [, word, rest] = /^(\w+) (.*)$/.exec(line);
		if (word === 'COPY') {
			const names = rest.split(' ').slice(0, -1);
			for (const name of names) fs.cpSync(path.join(source, name), path.join(app, name), { recursive: true });
		} else if (word === 'RUN') passes(line, 'sh', ['-ec', inside(rest.replace('npm install', 'npm install --offline --no-audit --no-fund'))], { cwd: app, env: around });
		else if (word === 'ENV') around[rest.split('=')[0]] = inside(rest.slice(rest.indexOf('=') + 1));
		else if (word === 'CMD') start = JSON.parse(rest);
		else assert.ok(['FROM', 'WORKDIR', 'VOLUME', 'USER'].includes(word), line);
	}
	const port = await new Promise((resolve) => { const probe = http.createServer().listen(0, '127.0.0.1', () => { const { port: free } = probe.address(); probe.close(() => resolve(free)); }); });
	const child = spawn(start[0], start.slice(1), { cwd: app, env: { ...around, PORT: String(port) }, stdio: ['ignore', 'inherit', 'inherit'] });
	const ended = once(child, 'exit');
	let response;
	while (!response && child.exitCode === null) {
		response = await fetch(`http://127.0.0.1:${port}/health`, { headers: { connection: 'close' } }).catch(() => null);
		if (!response) await new Promise((resolve) => { setTimeout(resolve, 50); });
	}
	assert.strictEqual(response?.status, 200);
	child.kill('SIGTERM');
	assert.deepStrictEqual(await ended, [0, null]);
	assert.deepStrictEqual(fs.readdirSync(path.join(image, 'data')), ['app.db']);
});

test('what the command prints is recorded for these pages alone', () => {
	const recorded = fs.readFileSync(path.join(root, 'cli/tests/recorded_output.rs'), 'utf8');
	for (const { at, page } of ours('console')) assert.ok(recorded.includes(path.basename(page)), at);
	assert.ok(pages.length > 20);
});

test('every picture is shown, has a title, follows the dark mode, and can be read as XML', (t) => {
	const texts = [...pages, 'DESIGN.md', 'docs/benchmarks/node.md', 'docs/benchmarks/contention.md'].map((page) => fs.readFileSync(path.join(root, page), 'utf8'));
	const shown = new Set(texts.flatMap((text) => [...text.matchAll(/!\[([^\]]+)\]\(([^)]+\.svg)\)/g)].map(([, , file]) => path.basename(file))));
	const pictures = ['images', 'benchmarks'].flatMap((directory) => fs.readdirSync(path.join(root, 'docs', directory)).filter((name) => name.endsWith('.svg')).map((name) => path.join(root, 'docs', directory, name)));
	assert.ok(pictures.length > 5);
	for (const file of pictures) {
		assert.ok(shown.has(path.basename(file)), `no page shows ${file}`);
		const text = fs.readFileSync(file, 'utf8');
		assert.match(text, /role=["']img["'][^>]*(aria-label=["'][^"']{20,}["']|>\s*<title[^>]*>[^<]{20,}<\/title>)[^]*prefers-color-scheme: ?dark/, file);
		if (needed(t, 'python3')) passes(file, 'python3', ['-c', 'import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.argv[1])', file]);
	}
});

test('the picture of the closing matrix is drawn from its table', () => {
	const page = fs.readFileSync(path.join(root, 'docs/closing.md'), 'utf8');
	const { picture } = require('../../tests/closing/picture');
	assert.strictEqual(fs.readFileSync(path.join(root, 'docs/images/closing.svg'), 'utf8'), picture(page), 'node tests/closing/picture.js draws it');
	const [closed, left] = ['closed', 'left'].map((state) => picture(page).split(`class="${state}"`).length - 1);
	assert.ok(closed > 100 && left > 10, `${closed} closed, ${left} left`);
	assert.notStrictEqual(picture(page.replace('closed, 0', 'left, 0')), picture(page));
});

// Electron's V8 has no memory outside of its heap's reservation, and refuses such buffers.
test('what the page of questions says of Electron: no call of ours makes a buffer outside of the heap', () => {
	const sources = fs.readdirSync(path.join(root, 'bindings-node/src'), { recursive: true }).filter((name) => name.endsWith('.rs'));
	assert.ok(sources.length > 20);
	const outside = /napi_create_external_?(string|buffer|arraybuffer)|node_api_create_external|node_api_create_buffer_from/;
	for (const name of sources) assert.doesNotMatch(fs.readFileSync(path.join(root, 'bindings-node/src', name), 'utf8'), outside, name);
	assert.match('napi_create_external_arraybuffer', outside);
	assert.match(fs.readFileSync(path.join(root, 'docs/faq.md'), 'utf8'), /litekeel never makes \(a test holds that\)/);
});
