'use strict';
// The closing matrix: every host on every way out. `node tests/closing/run.js short|full [HOST…]`, see README.md here.
const { spawn, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { hosts } = require('./hosts');
const { ways } = require('./ways');
const { page } = require('./page');
const { picture } = require('./picture');

const [kind = 'short', ...only] = process.argv.slice(2);
const root = path.join(__dirname, '../..');
process.env.LITEKEEL_LIBRARY ??= path.join(root, 'target/release/liblitekeel.so');
const litekeel = require(path.join(root, 'bindings-node'));
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'litekeel-closing-'));
process.on('exit', () => fs.rmSync(scratch, { recursive: true, force: true }));

/** A PID namespace takes a privilege. */
const namespaces = spawnSync('unshare', ['-pf', '--mount-proc', 'true']).status === 0;
/** Generous: a loaded machine is no failure, a process that never ends is. */
const LIMIT = 60_000;

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Waits for a text on the child's standard output, or for its end. */
function heard(run, text) {
	return new Promise((resolve) => {
		const look = () => { if (run.out.includes(text) || run.ended) resolve(); };
		run.child.stdout.on('data', look);
		run.child.on('close', look);
		look();
	});
}

/** One run of a host: how it ended and what it said. */
async function end(host, way, database, on, limit = LIMIT) {
	let [command, ...words] = host.command;
	if (way.first) [command, ...words] = ['unshare', '-pf', '--mount-proc', command, ...words];
	// The parent ignores nothing: whoever runs this under nohup or in the background would pass that on.
	const child = spawn(command, [...words, way.mode, database, on, ...(host.worker ? ['worker'] : [])], {
		cwd: scratch, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...host.env },
	});
	const run = { child, out: '', err: '', ended: false };
	child.stdout.on('data', (text) => { run.out += text; });
	child.stderr.on('data', (text) => { run.err += text; });
	const closed = new Promise((resolve) => child.on('close', (code, signal) => { run.ended = true; resolve([code, signal]); }));
	let expired = false;
	const timer = setTimeout(() => {
		expired = true;
		// `unshare` waits for its child, which is the first process; with that all of the namespace ends.
		for (const pid of way.first ? children(child.pid) : [child.pid]) process.kill(pid, 'SIGKILL');
	}, limit);
	for (const [at, signal] of (way.signals ?? []).entries()) {
		if (at === 0) await heard(run, 'ready');
		// In its sleep, its loop or its statement: `ready` came before. The second finds the shutdown begun.
		await sleep(at === 0 ? 150 : 100);
		if (run.ended) break;
		const target = way.first || way.mode === 'prefork' ? children(child.pid)[0] : child.pid;
		if (target === undefined) break;
		try { process.kill(target, signal); } catch (error) { if (error.code !== 'ESRCH') throw error; }
	}
	const [code, signal] = await closed;
	clearTimeout(timer);
	return { status: expired ? 'never' : signal ?? String(code), lines: run.out.split('\n').filter(Boolean), err: run.err };
}

const children = (pid) => fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);

/** The rows of a database after its program's end; whether a -wal was there before this looked. */
function left(database) {
	const wal = fs.existsSync(`${database}-wal`);
	if (!fs.existsSync(database)) return { wal, rows: [] };
	const db = litekeel.open(`file:${database}`);
	try {
		if (db.pragma('integrity_check', { simple: true }) !== 'ok') throw new Error(`${database} is damaged`);
		return { wal, rows: db.prepare('SELECT a FROM t').pluck().all() };
	} finally {
		db.close();
	}
}

/** Measures one cell: `{ text, wrong? }`. */
async function cell(host, way, baselines) {
	const none = way.none?.(host);
	if (none) return { text: '–', note: none };
	if (way.first && !namespaces) return { text: null };
	const database = path.join(scratch, `${host.name.replace(/\W/g, '-')}-${ways.indexOf(way)}.db`);
	const on = way.off ? '0' : '1';
	const key = `${way.first ? 'first ' : ''}${way.mode === 'long' || way.mode === 'second' && !host.waits ? 'wait' : way.mode} ${way.signals ?? ''}`;
	if (!baselines.has(key)) baselines.set(key, await end(host, { ...way, mode: key.replace('first ', '').split(' ')[0] }, '', on, way.first ? 4000 : LIMIT));
	const run = await end(host, way, database, on);
	const without = { ...baselines.get(key) };
	// The first process of a namespace is not ended by a signal's default action; with us it is, with the status of shells.
	if (way.first && without.status === 'never') without.status = '143';
	const files = [database, ...(way.mode === 'fork' ? [`${database}-child`] : [])].map((file) => ({ file, ...left(file) }));
	const wrong = [];
	if (run.status !== without.status) wrong.push(`status ${run.status}, without us ${without.status}`);
	if (run.lines.join() !== without.lines.join()) wrong.push(`said ${run.lines}, without us ${without.lines}`);
	for (const { file, rows } of files) {
		if (!rows.includes(1)) wrong.push(`an acknowledged row is gone from ${path.basename(file)}`);
		// Every write after a signal is refused; a transaction that was open then is rolled back.
		if (way.refused && !(way.mode === 'before' && host.listens) && rows.includes(2)) wrong.push('a write after the signal was accepted');
		if (rows.includes(3)) wrong.push('a transaction that was not committed is there');
	}
	const wal = files.some((file) => file.wal);
	const reason = way.leaves?.(host);
	if (!way.off && wal !== (reason !== undefined)) wrong.push(wal ? 'the -wal is left' : `the -wal is gone, though: ${reason}`);
	return { text: `${wal ? 'left' : 'closed'}, ${run.status}`, note: wal && !way.off ? reason : undefined, wrong: wrong.length > 0 ? `${wrong.join('; ')}\n${run.err}` : undefined };
}

async function main() {
	const chosen = hosts(root, scratch).filter((host) => (kind === 'full' || host.short) && (only.length === 0 || only.includes(host.name)));
	const rows = [];
	let failed = 0;
	// Before anything is measured: it installs and compiles, and this program hears of nothing meanwhile.
	const queue = chosen.filter((host) => {
		const missing = host.prepare();
		if (missing && process.env.CI === 'true') throw new Error(`${host.name}: ${missing}`);
		if (missing) console.error(`SKIPPED: ${host.name}: ${missing}`);
		return !missing;
	});
	// Two at a time: most of it is waiting.
	const work = async () => {
		for (let host = queue.shift(); host !== undefined; host = queue.shift()) {
			const baselines = new Map();
			const cells = [];
			for (const way of ways) {
				const measured = await cell(host, way, baselines);
				cells.push(measured);
				if (measured.wrong !== undefined) {
					failed += 1;
					console.error(`WRONG: ${host.name}, ${way.name}: ${measured.wrong}`);
				}
			}
			rows.push({ host, cells });
			console.log(`${host.name}: ${cells.map(({ text }) => text ?? 'no PID namespace can be made here').join(' | ')}`);
		}
	};
	await Promise.all([work(), work()]);
	if (failed > 0) throw new Error(`${failed} cells are wrong`);
	const file = path.join(root, 'docs/closing.md');
	rows.sort((a, b) => chosen.indexOf(a.host) - chosen.indexOf(b.host));
	const text = page(fs.readFileSync(file, 'utf8'), rows, ways);
	if (process.env.UPDATE_DOCS) {
		fs.writeFileSync(file, text.whole);
		fs.writeFileSync(path.join(root, 'docs/images/closing.svg'), picture(text.whole));
	} else for (const row of text.stale) throw new Error(`docs/closing.md does not say what was measured, UPDATE_DOCS=1 writes it: ${row}`);
}

main().catch((error) => {
	console.error(error.message);
	process.exit(1);
});
