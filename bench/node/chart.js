'use strict';
// One chart for each runtime and place: how many times as fast litekeel is as each peer, on a logarithmic axis.
const workloads = require('./workloads');

/** For each peer a colour that shows on a light and on a dark ground. */
const COLOURS = { 'better-sqlite3 12': '#3b7dd8', 'better-sqlite3 13': '#3b7dd8', 'node:sqlite': '#2f9e66', libsql: '#c9842f', 'bun:sqlite': '#a863b5' };
const PLACES = { file: 'a file', memory: 'memory' };
const [WIDTH, LEFT, RIGHT, TOP, BAR, GAP] = [860, 250, 810, 104, 13, 14];
const LIMITS = [0.5, 32];

const x = (ratio) => LEFT + (Math.log2(Math.min(LIMITS[1], Math.max(LIMITS[0], ratio))) + 1) / 6 * (RIGHT - LEFT);
const text = (at, y, content, more = '') => `<text x="${at.toFixed(1)}" y="${y.toFixed(1)}"${more && ` ${more}`}>${content}</text>`;
const plain = (label) => label.replaceAll('`', '').replaceAll('&', '&amp;').replaceAll('<', '&lt;');

/** `columns`: those of one runtime, `{ runtime, peer, title, of(id) }`; `place`: `file` or `memory`. */
module.exports = (columns, place, shown) => {
	const rows = workloads.filter(({ id, where }) => where === place && columns.some(({ of }) => of(id) !== undefined));
	const bars = (id) => columns.filter(({ of }) => of(id) !== undefined);
	const bottom = TOP + rows.reduce((sum, { id }) => sum + bars(id).length * BAR + GAP, 0);
	const runtime = columns[0].title.split(', ').at(-1);
	const title = `${runtime}, database in ${PLACES[place]}: litekeel beside its peers`;
	const parts = [text(20, 28, title, 'class="head"')];
	let from = 20;
	for (const { peer } of columns) {
		parts.push(`<rect x="${from}" y="45" width="12" height="12" fill="${COLOURS[peer]}"/>`, text(from + 18, 56, `beside ${peer}`));
		from += 60 + 7 * `beside ${peer}`.length;
	}
	parts.push(text(x(1) + 6, 80, 'litekeel is faster →', 'class="faint"'), text(x(1) - 6, 80, '← slower', 'class="faint" text-anchor="end"'));
	for (const ratio of [0.5, 1, 2, 4, 8, 16, 32]) {
		parts.push(`<path class="${ratio === 1 ? 'one' : 'grid'}" d="M${x(ratio).toFixed(1)} ${TOP - 14}V${bottom}"/>`, text(x(ratio), bottom + 16, `${ratio}×`, 'text-anchor="middle"'));
	}
	parts.push(text((LEFT + RIGHT) / 2, bottom + 36, `time of the peer ÷ time of litekeel (logarithmic; 1× = equally fast)`, 'class="faint" text-anchor="middle"'));
	let y = TOP;
	for (const { id, label } of rows) {
		const height = bars(id).length * BAR;
		parts.push(text(LEFT - 10, y + height / 2 + 4, plain(label), 'text-anchor="end"'));
		for (const { peer, of } of bars(id)) {
			const [low, high] = [x(Math.min(1, of(id))), x(Math.max(1, of(id)))];
			parts.push(`<rect x="${low.toFixed(1)}" y="${y}" width="${Math.max(1, high - low).toFixed(1)}" height="${BAR - 2}" fill="${COLOURS[peer]}"/>`, text(high + 5, y + BAR - 3, `${shown(of(id))}×`, 'class="value"'));
			y += BAR;
		}
		y += GAP;
	}
	return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${bottom + 50}" role="img" aria-label="${title}" font-family="system-ui, -apple-system, 'Segoe UI', 'DejaVu Sans', sans-serif" font-size="12.5"><title>${title}</title>
<style>text { fill: #1f2328; } .head { font-size: 17px; font-weight: 600; } .faint { fill: #59636e; } .value { fill: #59636e; font-size: 10.5px; } path { stroke: #d8dee4; } .one { stroke: #1f2328; } .ground { fill: #ffffff; }
@media (prefers-color-scheme: dark) { text { fill: #f0f6fc; } .faint, .value { fill: #9198a1; } path { stroke: #3d444d; } .one { stroke: #f0f6fc; } .ground { fill: #0d1117; } }</style>
<rect class="ground" width="${WIDTH}" height="${bottom + 50}"/>
${parts.join('\n')}
</svg>
`;
};
