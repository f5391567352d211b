'use strict';
// The result as a page, as a chart, and as what is still missing.
const workloads = require('./workloads');

const label = ({ where, label: text }) => `${where === 'file' ? 'file: ' : ''}${text}`;
const peerName = ({ name, version }) => (name === 'better-sqlite3' ? `${name} ${version.split('.')[0]}` : name);
const shown = (ratio) => (ratio === undefined ? '' : ratio >= 10 ? ratio.toFixed(0) : ratio.toFixed(1));

function duration(nanoseconds) {
	if (nanoseconds === undefined) return '';
	if (nanoseconds < 1000) return `${Math.round(nanoseconds)} ns`;
	if (nanoseconds < 1e6) return `${(nanoseconds / 1000).toPrecision(3)} µs`;
	return `${(nanoseconds / 1e6).toPrecision(3)} ms`;
}

/** Every peer in every runtime: `{ title, peer, of(id) }`. */
function columns({ measured }) {
	return measured.flatMap(({ runtime, contenders, results }) => contenders.slice(1).map((contender, at) => ({
		runtime, peer: peerName(contender), title: `${peerName(contender)}, ${runtime.replace(/\.[\d.]+$/, '')}`,
		of: (id) => results.find((one) => one.id === id)?.ratios[at + 1] ?? undefined,
	})));
}

function markdown(result) {
	const all = columns(result);
	const own = (id) => result.measured.map(({ results }) => results.find((one) => one.id === id)?.nanoseconds[0]);
	const ids = workloads.filter(({ id }) => own(id)[0] !== undefined);
	const lines = [
		'# How fast the Node module is', '',
		`Measured ${result.date} on ${result.machine}; ${result.measured.map(({ runtime }) => runtime).join(', ')}. Written by \`make bench\`.`, '',
		`Each figure is how many times faster litekeel is than the peer in the same process: above 1 it is faster. The contenders take turns, ${result.rounds} rounds of about`,
		`${result.stretch} ms each; the ratio is the median over the rounds. Their results are compared before anything is timed. All have the same settings`,
		'(WAL, `synchronous = NORMAL`, 16 MB of page cache). "C" is the same loop in plain C on the same library, the limit of every binding; only where SQL is',
		'prepared again does litekeel beat it, because it keeps statements compiled.', '',
		'![Times faster than each peer](node.svg)', '',
		`| workload | litekeel, ${result.measured.map(({ runtime }) => runtime.replace(/\.[\d.]+$/, '')).join(' / ')} | C | ${all.map(({ title }) => title).join(' | ')} |`,
		`|---|---|---|${all.map(() => '---|').join('')}`,
	];
	for (const workload of ids) {
		lines.push(`| ${label(workload)} | ${own(workload.id).map((one) => duration(one) || '–').join(' / ')} | ${duration(result.limit[workload.id])} | ${all.map(({ of }) => (of(workload.id) === undefined ? '' : `${shown(of(workload.id))}×`)).join(' | ')} |`);
	}
	const versions = result.measured.map(({ runtime, contenders }) => `${runtime} with ${contenders.map(({ name, version }) => `${name} ${version}`).join(', ')}`);
	lines.push('', 'Reads on a file take three system calls and writes ten, whatever the binding is: there the ratios come near 1.', '', `Versions: ${versions.join('; ')}.`, '');
	return lines.join('\n');
}

/** What is below its goal, or below 1. */
function shortfalls(result) {
	const lines = [];
	for (const { title, peer, of } of columns(result)) {
		for (const workload of workloads) {
			const ratio = of(workload.id);
			const wanted = workload.goal[peer] ?? 1;
			if (ratio !== undefined && ratio < wanted) lines.push(`below its goal: ${label(workload)} against ${title}: ${ratio.toFixed(2)}, wanted ${wanted}`);
		}
	}
	return lines.length > 0 ? `${lines.join('\n')}\n` : 'every goal is reached\n';
}

const COLOURS = { 'better-sqlite3 12': '#8fa8c9', 'better-sqlite3 13': '#2f5d9b', 'node:sqlite': '#3a8f5c', libsql: '#c98f3a', 'bun:sqlite': '#a05fa8' };

/** Bars of the ratios against each peer, in the newest runtime that has it, on a logarithmic axis from 0.5 to 32. */
function chart(result) {
	const peers = Object.keys(COLOURS).map((peer) => ({ peer, column: columns(result).filter((one) => one.peer === peer).at(-1) })).filter(({ column }) => column);
	const [left, right, bar, gap, top] = [260, 760, 9, 10, 56];
	const x = (ratio) => left + (Math.log2(Math.min(32, Math.max(0.5, ratio))) + 1) / 6 * (right - left);
	const block = peers.length * bar + gap;
	const height = top + workloads.length * block + 20;
	const text = (at, y, content, more = '') => `<text x="${at.toFixed(1)}" y="${y.toFixed(1)}" ${more}>${content}</text>`;
	const plain = (workload) => label(workload).replaceAll('`', '').replaceAll('&', '&amp;').replaceAll('<', '&lt;');
	const parts = [];
	for (const ratio of [0.5, 1, 2, 4, 8, 16, 32]) {
		parts.push(`<line x1="${x(ratio)}" x2="${x(ratio)}" y1="${top - 8}" y2="${height - 16}" stroke="${ratio === 1 ? '#333' : '#ddd'}"/>`, text(x(ratio), top - 14, `${ratio}×`, 'text-anchor="middle"'));
	}
	peers.forEach(({ peer, column }, at) => {
		const from = 20 + at * 169;
		parts.push(`<rect x="${from}" y="12" width="10" height="10" fill="${COLOURS[peer]}"/>`, text(from + 15, 21, column.title));
	});
	workloads.forEach((workload, row) => {
		const y = top + row * block;
		parts.push(text(left - 8, y + block / 2, plain(workload), 'text-anchor="end"'));
		peers.forEach(({ peer, column }, at) => {
			const ratio = column.of(workload.id);
			if (ratio === undefined) return;
			const [from, to] = ratio < 1 ? [x(ratio), x(1)] : [x(1), x(ratio)];
			parts.push(`<rect x="${from.toFixed(1)}" y="${y + at * bar}" width="${(to - from).toFixed(1)}" height="${bar - 1}" fill="${COLOURS[peer]}"/>`, text(Math.max(x(ratio), x(1)) + 4, y + at * bar + bar - 1.5, shown(ratio), 'font-size="8" fill="#555"'));
		});
	});
	return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 860 ${height}" font-family="sans-serif" font-size="11"><title>How many times faster litekeel is than each peer</title>
<rect width="860" height="${height}" fill="#fff"/>
${parts.join('\n')}
</svg>
`;
}

module.exports = { markdown, shortfalls, chart };
