'use strict';
// The table of docs/closing.md as a picture: for each host and way out, whether the -wal was gone.

/** Of each version, runtime and kind a row; those of one runtime that fare alike are one. */
function rowsOf(page) {
	const table = page.split('<!-- measured: -->')[1].split('<!-- :measured -->')[0].split('\n').filter((line) => line.startsWith('|'));
	const [head, , ...lines] = table.map((line) => line.slice(2, -2).split(' | '));
	const rows = new Map();
	for (const [host, ...cells] of lines) {
		const [, name, version, worker] = /^(\w+)( \d+)?(, worker)?$/.exec(host);
		const states = cells.map((cell) => (cell.startsWith('closed') ? 'closed' : cell.startsWith('left') ? 'left' : 'none'));
		const key = `${name}${worker ?? ''} ${states}`;
		const row = rows.get(key) ?? { name, worker: worker ?? '', versions: [], states };
		if (version) row.versions.push(version.trim());
		rows.set(key, row);
	}
	return { ways: head.slice(1), rows: [...rows.values()].map(({ name, worker, versions, states }) => ({ label: `${name}${versions.length > 0 ? ` ${versions.join(', ')}` : ''}${worker}`, states })) };
}

const [LEFT, TOP, COLUMN, ROW] = [230, 196, 40, 26];
const WORDS = { closed: 'closed: no -wal stays', left: 'the -wal stays; the next open reads it', none: 'the language has no such thing' };

/** One cell: the form says it too, not the colour alone. */
function mark(state, x, y) {
	if (state === 'closed') return `<circle class="closed" cx="${x}" cy="${y}" r="7"/>`;
	if (state === 'left') return `<rect class="left" x="${x - 6}" y="${y - 6}" width="12" height="12"/>`;
	return `<path class="none" d="M${x - 4} ${y}h8"/>`;
}

exports.picture = (page) => {
	const { ways, rows } = rowsOf(page);
	const [width, bottom] = [LEFT + ways.length * COLUMN + 130, TOP + rows.length * ROW];
	const title = 'Which ways out of a program leave no -wal behind, for each host';
	const parts = [];
	ways.forEach((way, at) => {
		const [x, y] = [LEFT + at * COLUMN + COLUMN / 2, TOP - 14];
		parts.push(`<text transform="translate(${x + 4} ${y}) rotate(-52)">${way.replaceAll('`', '')}</text>`);
	});
	rows.forEach(({ label, states }, at) => {
		const y = TOP + at * ROW + ROW / 2;
		if (at % 2 === 0) parts.push(`<rect class="band" x="12" y="${y - ROW / 2}" width="${width - 120}" height="${ROW}"/>`);
		parts.push(`<text x="${LEFT - 8}" y="${y + 5}" text-anchor="end">${label}</text>`, ...states.map((state, column) => mark(state, LEFT + column * COLUMN + COLUMN / 2, y)));
	});
	let x = 24;
	for (const [state, words] of Object.entries(WORDS)) {
		parts.push(mark(state, x, bottom + 26), `<text class="faint" x="${x + 14}" y="${bottom + 30}">${words}</text>`);
		x += 40 + words.length * 6.6;
	}
	return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${bottom + 46}" width="${width}" height="${bottom + 46}" role="img" aria-labelledby="title" font-family="system-ui, -apple-system, 'Segoe UI', sans-serif" font-size="13">
<title id="title">${title}</title>
<style>
text { fill: #1f2328; } .ground { fill: #ffffff; } .faint { fill: #59636e; font-size: 12px; } .band { fill: #f6f8fa; } .closed { fill: #1f883d; } .left { fill: none; stroke: #bc4c00; stroke-width: 2; } .none { stroke: #818b98; stroke-width: 2; }
@media (prefers-color-scheme: dark) {
text { fill: #f0f6fc; } .ground { fill: #0d1117; } .faint { fill: #9198a1; } .band { fill: #151b23; } .closed { fill: #3fb950; } .left { stroke: #f0883e; } .none { stroke: #656c76; }
}
</style>
<rect class="ground" width="100%" height="100%"/>
${parts.join('\n')}
</svg>
`;
};

if (require.main === module) {
	const fs = require('node:fs');
	const root = require('node:path').join(__dirname, '../..');
	fs.writeFileSync(`${root}/docs/images/closing.svg`, exports.picture(fs.readFileSync(`${root}/docs/closing.md`, 'utf8')));
}
