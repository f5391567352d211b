'use strict';
// Runs every workload in this process and runtime: the contenders in turn, round by round, so that what else the machine
// does hits all of them. Prints JSON. Arguments: rounds, milliseconds per stretch, then workload ids (none: all).
const assert = require('node:assert');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const [rounds, stretch] = process.argv.slice(2, 4).map(Number);
const only = process.argv.slice(4);
const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'keel-bench-'));
const contenders = require('./contenders')().map((one) => ({ ...one, module: one.load() }));
const WORKLOADS = require.resolve('./workloads');

/** Each contender compiles the loops anew: shared ones would have call sites that have seen every class. */
function workloads() {
	delete require.cache[WORKLOADS];
	return require(WORKLOADS);
}

/** A value that two modules' results can be compared by: prototypes and kinds of byte arrays differ. */
const plain = (value) => JSON.parse(JSON.stringify(value, (key, one) => {
	// libsql adds this to the rows of get().
	if (key === '_metadata') return undefined;
	if (one && one.type === 'Buffer') return { bytes: one.data.length, sum: one.data.reduce((a, b) => a + b, 0) };
	if (one instanceof Uint8Array) return { bytes: one.length, sum: one.reduce((a, b) => a + b, 0) };
	return one;
}) ?? 'null');

const median = (numbers) => {
	const sorted = [...numbers].sort((a, b) => a - b);
	const middle = sorted.length >> 1;
	return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};

const time = (run, n) => {
	const from = process.hrtime.bigint();
	run(n);
	return Number(process.hrtime.bigint() - from) / n;
};

function start(contender, at) {
	const workload = workloads()[at];
	const file = workload.where === 'file' ? path.join(directory, `${workload.id}-${contender.name.replace(/\W/g, '-')}.db`) : ':memory:';
	const db = contender.module.open(file);
	// The same settings for everybody, whatever the module's defaults are.
	for (const pragma of ['journal_mode = WAL', 'synchronous = NORMAL', 'cache_size = -16000', 'wal_autocheckpoint = 1000']) {
		if (!(workload.where === 'memory' && pragma.startsWith('journal'))) db.exec(`PRAGMA ${pragma}`);
	}
	if (workload.setup) db.exec(workload.setup);
	return { db, workload, run: workload.make(db, contender.module), times: [] };
}

/** How many operations fill one stretch; warms the loop up on the way. */
function calibrate({ run, workload, db }) {
	let n = 1;
	for (;;) {
		workload.before?.(db);
		const each = time(run, n);
		if (each * n > stretch * 5e5) return Math.max(1, Math.round(stretch * 1e6 / each));
		n *= 4;
	}
}

const results = [];
for (const [at, { id }] of workloads().entries()) {
	if (only.length > 0 && !only.includes(id)) continue;
	// An ORM's driver is for one interface only.
	const able = contenders.filter(({ module }) => !workloads()[at].needs || module[workloads()[at].needs]);
	if (able.length < 2) continue;
	const lanes = able.map((contender) => start(contender, at));
	const [first, ...others] = lanes.map(({ run }) => plain(run(3)));
	for (const [index, other] of others.entries()) assert.deepStrictEqual(other, first, `${id}: ${able[index + 1].name} gives another result`);
	const counts = lanes.map(calibrate);
	for (let round = 0; round < rounds; ++round) {
		for (let turn = 0; turn < lanes.length; ++turn) {
			const lane = (turn + round) % lanes.length;
			lanes[lane].workload.before?.(lanes[lane].db);
			lanes[lane].times.push(time(lanes[lane].run, counts[lane]));
		}
	}
	const of = (contender, figure) => (able.includes(contender) ? figure(lanes[able.indexOf(contender)].times) : null);
	results.push({
		id,
		nanoseconds: contenders.map((contender) => of(contender, median)),
		// Round by round, so that a slow moment of the machine counts for both.
		ratios: contenders.map((contender) => of(contender, (times) => median(times.map((one, round) => one / lanes[0].times[round])))),
	});
	for (const { db } of lanes) db.close();
	if (process.env.BENCH_PROGRESS) process.stderr.write('.');
}
fs.rmSync(directory, { recursive: true });
process.stdout.write(JSON.stringify({
	runtime: process.versions.bun ? `Bun ${process.versions.bun}` : `Node ${process.versions.node}`,
	contenders: contenders.map(({ name, version }) => ({ name, version })),
	results,
}));
