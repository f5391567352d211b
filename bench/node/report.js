'use strict';
// The result as a page with a table for each runtime, as charts, and as what is still missing.
const workloads = require('./workloads');
const chart = require('./chart');

const peerName = ({ name, version }) => (name === 'better-sqlite3' ? `${name} ${version.split('.')[0]}` : name);
const shown = (ratio) => (ratio === undefined ? '' : ratio >= 10 ? ratio.toFixed(0) : ratio.toFixed(1));
const short = (runtime) => runtime.replace(/\.[\d.]+$/, '');
const PLACES = { file: 'On a file', memory: 'In memory' };

function duration(nanoseconds) {
	if (nanoseconds === undefined) return '';
	if (nanoseconds < 1000) return `${Math.round(nanoseconds)} ns`;
	if (nanoseconds < 1e6) return `${(nanoseconds / 1000).toPrecision(3)} µs`;
	return `${(nanoseconds / 1e6).toPrecision(3)} ms`;
}

/** Every peer in every runtime: `{ title, peer, of(id) }`. */
function columns({ measured }) {
	return measured.flatMap(({ runtime, contenders, results }) => contenders.slice(1).map((contender, at) => ({
		runtime, peer: peerName(contender), title: `${peerName(contender)}, ${short(runtime)}`,
		of: (id) => results.find((one) => one.id === id)?.ratios[at + 1] ?? undefined,
	})));
}

/** What was measured in one runtime at one place: `{ runtime, place, peers, rows, own(id) }`, the newest Node first. */
function sections(result) {
	const order = [...result.measured].sort((a, b) => Number(b.runtime.startsWith('Node')) - Number(a.runtime.startsWith('Node')) || b.runtime.localeCompare(a.runtime));
	return order.flatMap(({ runtime, results }) => Object.keys(PLACES).map((place) => ({
		runtime: short(runtime), place, peers: columns(result).filter((one) => one.runtime === runtime),
		rows: workloads.filter(({ id, where }) => where === place && results.some((one) => one.id === id)),
		own: (id) => results.find((one) => one.id === id).nanoseconds[0],
	}))).filter(({ rows }) => rows.length > 0);
}

/** The charts, by the name of their files: one for each runtime and place. */
function charts(result) {
	return Object.fromEntries(sections(result).map(({ runtime, place, peers }) => [`${runtime.toLowerCase().replace(' ', '-')}-${place}.svg`, chart(peers, place, shown)]));
}

function markdown(result) {
	const lines = [
		'# How fast the Node module is', '',
		`Measured ${result.date} on ${result.machine}; ${result.measured.map(({ runtime }) => runtime).join(', ')}. \`make bench\` wrote this page.`, '',
		'The column "litekeel" is its time for one operation: less is better. The columns of the peers say how many times as long the peer takes:',
		'above 1× litekeel is faster, below it is slower. "C" is the time of the same loop in plain C on the same library, which no binding can beat in',
		'memory; litekeel beats it where SQL is prepared again, because it keeps statements compiled, and on a file, where the loop takes a lock for each read.', '',
		`The contenders take turns in one process, ${result.rounds} rounds of about ${result.stretch} ms each; a figure is the median over the rounds. Their results are`,
		'compared before anything is timed. All have the same settings (WAL, `synchronous = NORMAL`, 16 MB of page cache).', '',
		'On a file SQLite makes two system calls for a read and eight for a commit of one page, whatever the binding is. litekeel makes none for a read that',
		'follows another closely, and five for such a commit ([how](../wal.md#a-read-lock-that-outlasts-the-read)). An empty cell was not measured.', '',
	];
	let before;
	for (const { runtime, place, peers, rows, own } of sections(result)) {
		if (runtime !== before) lines.push(`## ${runtime}`, '');
		before = runtime;
		lines.push(`### ${PLACES[place]}, ${runtime}`, '', `![${runtime}, ${place}: how many times as long each peer takes](${runtime.toLowerCase().replace(' ', '-')}-${place}.svg)`, '');
		lines.push(`| workload | litekeel | C | ${peers.map(({ peer }) => peer).join(' | ')} |`, `|---|--:|--:|${peers.map(() => '--:|').join('')}`);
		for (const { id, label } of rows) {
			lines.push(`| ${label} | ${duration(own(id))} | ${duration(result.limit[id])} | ${peers.map(({ of }) => (of(id) === undefined ? '' : `${shown(of(id))}×`)).join(' | ')} |`);
		}
		lines.push('');
	}
	const versions = result.measured.map(({ runtime, contenders }) => `${runtime} with ${contenders.map(({ name, version }) => `${name} ${version}`).join(', ')}`);
	lines.push(`Versions: ${versions.join('; ')}.`, '');
	return lines.join('\n');
}

/** What is below its goal, or below 1. */
function shortfalls(result) {
	const lines = [];
	for (const { title, peer, of } of columns(result)) {
		for (const workload of workloads) {
			const ratio = of(workload.id);
			const wanted = workload.goal[peer] ?? 1;
			if (ratio !== undefined && ratio < wanted) lines.push(`below its goal: ${workload.where === 'file' ? 'file: ' : ''}${workload.label} against ${title}: ${ratio.toFixed(2)}, wanted ${wanted}`);
		}
	}
	return lines.length > 0 ? `${lines.join('\n')}\n` : 'every goal is reached\n';
}

module.exports = { markdown, shortfalls, charts };
