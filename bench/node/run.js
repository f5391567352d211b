'use strict';
// node bench/node/run.js [--quick] [--write] [workload ...]: litekeel and its peers, each in the runtimes it is made for.
// `--quick` is for working on it; `--write` puts the result into docs/benchmarks: node.json, and from it node.md and a chart for
// each runtime and place. `--render` makes page and charts from node.json again, without measuring.
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const report = require('./report');
const runtimes = require('../../bindings-node/test/runtimes');
const prepare = require('../../bindings-node/test/prepare');

const root = path.join(__dirname, '..', '..');
const directory = path.join(root, 'docs', 'benchmarks');
const flags = process.argv.slice(2).filter((one) => one.startsWith('--'));
const only = process.argv.slice(2).filter((one) => !one.startsWith('--'));

/** The page and the charts of a result. */
function render(result) {
	fs.writeFileSync(path.join(directory, 'node.md'), report.markdown(result));
	for (const [name, svg] of Object.entries(report.charts(result))) fs.writeFileSync(path.join(directory, name), svg);
}

if (flags.includes('--render')) {
	render(JSON.parse(fs.readFileSync(path.join(directory, 'node.json'), 'utf8')));
	process.exit();
}
const [rounds, stretch] = flags.includes('--quick') ? [21, 3] : [41, 10];
const library = path.resolve(process.env.LITEKEEL_LIBRARY || path.join(root, 'target', 'release', 'liblitekeel.so'));
if (!fs.existsSync(library)) throw new Error(`${library} is missing: make, or set LITEKEEL_LIBRARY`);

/** The same loops in C, linked with the same library. */
function limit() {
	const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'keel-limit-'));
	try {
		const include = execFileSync(path.join(root, 'scripts', 'sqlite-include'), { cwd: root, encoding: 'utf8' }).trim();
		const program = path.join(directory, 'limit');
		execFileSync('cc', ['-std=c11', '-O2', '-Wall', '-Wextra', '-o', program, path.join(__dirname, 'limit.c'), `-I${include}`, library, `-Wl,-rpath,${path.dirname(library)}`]);
		fs.symlinkSync(library, path.join(directory, 'liblitekeel.so.0'));
		const env = { ...process.env, LD_LIBRARY_PATH: directory };
		const lines = execFileSync(program, [directory, String(rounds), String(stretch)], { encoding: 'utf8', env }).trim().split('\n');
		return Object.fromEntries(lines.map((line) => line.split(' ')).map(([id, time]) => [id, Number(time)]));
	} finally {
		fs.rmSync(directory, { recursive: true });
	}
}

prepare();
prepare(__dirname, '--ignore-scripts');
const measured = [];
for (const runtime of [runtimes.node(20), runtimes.node(24), runtimes.node(26), runtimes.bun]) {
	const bun = runtime === runtimes.bun;
	process.stderr.write(`${path.relative(root, fs.realpathSync(runtime === 'node' ? process.execPath : runtime))} `);
	const output = execFileSync(runtime, [...(bun ? [] : ['--no-warnings']), path.join(__dirname, 'measure.js'), String(rounds), String(stretch), ...only],
		{ encoding: 'utf8', maxBuffer: 1 << 24, stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, LITEKEEL_LIBRARY: library, BENCH_PROGRESS: '1' } });
	process.stderr.write('\n');
	measured.push(JSON.parse(output));
}
process.stderr.write('plain C\n');
const result = { measured, limit: limit(), rounds, stretch, machine: `${os.cpus()[0].model.trim()}, ${os.cpus().length} cores, ${os.type()} ${os.release()}`, date: new Date().toISOString().slice(0, 10) };
process.stdout.write(`${report.markdown(result)}\n${report.shortfalls(result)}`);
if (flags.includes('--write')) {
	if (only.length > 0) throw new Error('--write needs every workload');
	fs.writeFileSync(path.join(directory, 'node.json'), `${JSON.stringify(result, null, '\t')}\n`);
	render(result);
}
