'use strict';
// The table of docs/closing.md: rows that were measured replace those that are there.

const BEGIN = '<!-- measured: -->';
const END = '<!-- :measured -->';

/** `{ whole, stale }`: the page with these rows, and those rows that it did not have. */
exports.page = (text, rows, ways) => {
	const [before, rest] = text.split(BEGIN);
	const [old, after] = rest.split(END);
	const lines = old.split('\n');
	const table = new Map(lines.filter((line) => /^\| (?!host|-)/.test(line)).map((line) => [line.split(' | ')[0].slice(2), line]));
	const notes = lines.filter((line) => line.startsWith('- ')).map((line) => line.slice(2));
	const stale = [];
	const mark = (note) => {
		if (!notes.some((known) => known.endsWith(note))) notes.push(`(${String.fromCharCode(97 + notes.length)}) ${note}`);
		return notes.find((known) => known.endsWith(note)).slice(0, 3);
	};
	for (const { host, cells } of rows) {
		const known = table.get(host.name)?.slice(2, -2).split(' | ') ?? [];
		// What could not be measured here is left as it was measured elsewhere.
		const said = ({ text: ended, note }, at) => (ended === null ? known[at + 1] ?? 'not measured' : note ? `${ended} ${mark(note)}` : ended);
		const line = `| ${[host.name, ...cells.map(said)].join(' | ')} |`;
		if (table.get(host.name) !== line) stale.push(line);
		table.set(host.name, line);
	}
	const head = [`| host | ${ways.map(({ name }) => name).join(' | ')} |`, `|---|${ways.map(() => '---|').join('')}`];
	const whole = [before, BEGIN, '\n', [...head, ...table.values(), '', ...notes.map((note) => `- ${note}`)].join('\n'), '\n', END, after].join('');
	return { whole, stale };
};
