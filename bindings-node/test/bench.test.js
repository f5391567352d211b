'use strict';
// The benchmark compares what gives equal results, and reports every workload. How fast is for `make bench` to say.
const { test } = require('node:test');
const assert = require('node:assert');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const runtimes = require('./runtimes');
const prepare = require('./prepare');

const BENCH = path.join(__dirname, '..', '..', 'bench', 'node');
const workloads = require(path.join(BENCH, 'workloads'));
const report = require(path.join(BENCH, 'report'));
prepare();
prepare(BENCH, '--ignore-scripts');

for (const [name, runtime, contenders] of [
	['Node 20', runtimes.node(20), ['litekeel', 'better-sqlite3']],
	['Node 24', runtimes.node(24), ['litekeel', 'better-sqlite3', 'node:sqlite', 'libsql']],
	['Bun', runtimes.bun, ['litekeel', 'bun:sqlite']],
]) {
	test(`${name}: every contender gives litekeel's results`, () => {
		const measured = JSON.parse(execFileSync(runtime, [path.join(BENCH, 'measure.js'), '1', '0.1'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }));
		assert.deepStrictEqual(measured.contenders.map((one) => one.name), contenders);
		const expected = workloads.filter(({ needs }) => !needs || name !== 'Bun');
		assert.deepStrictEqual(measured.results.map(({ id }) => id), expected.map(({ id }) => id));
		for (const { ratios } of measured.results) assert.ok(ratios[0] === 1 && ratios.every((ratio) => ratio === null || ratio > 0));
		const result = { measured: [measured], limit: {}, rounds: 1, stretch: 1, machine: 'a machine', date: '2000-01-01' };
		assert.strictEqual(report.markdown(result).split('\n').filter((line) => /^\|.*× \|/.test(line)).length, expected.length);
		const charts = report.charts(result);
		assert.deepStrictEqual(Object.keys(charts), ['file', 'memory'].map((place) => `${name === 'Bun' ? 'bun-1' : name.toLowerCase().replace(' ', '-')}-${place}.svg`));
		for (const chart of Object.values(charts)) assert.match(chart, /^<svg [^]*litekeel is faster →[^]*<\/svg>\n$/);
	});
}

test('the plain C loops cover the same workloads', () => {
	const source = fs.readFileSync(path.join(BENCH, 'limit.c'), 'utf8');
	assert.deepStrictEqual([...source.matchAll(/measure\("([\w-]+)"/g)].map(([, id]) => id), workloads.filter(({ needs }) => !needs).map(({ id }) => id));
});

test('the page and its charts are those of the recorded measurement', () => {
	const directory = path.join(__dirname, '../../docs/benchmarks');
	const result = JSON.parse(fs.readFileSync(path.join(directory, 'node.json'), 'utf8'));
	const page = fs.readFileSync(path.join(directory, 'node.md'), 'utf8');
	assert.strictEqual(page, report.markdown(result), 'node bench/node/run.js --render');
	const charts = report.charts(result);
	assert.strictEqual(Object.keys(charts).length, 8);
	for (const [name, chart] of Object.entries(charts)) {
		assert.strictEqual(fs.readFileSync(path.join(directory, name), 'utf8'), chart, name);
		assert.ok(page.includes(`](${name})`), name);
	}
});
