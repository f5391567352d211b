'use strict';
// The code blocks of the texts for readers. A comment on the line before a block says who runs it, or why nobody does:
// `<!-- run by PATH -->`, `<!-- not run: why -->`.
const fs = require('node:fs');
const path = require('node:path');

const root = path.join(__dirname, '../..');
const pages = ['README.md', 'SECURITY.md', 'CONTRIBUTING.md', 'examples/README.md', 'examples/service/README.md',
	...fs.readdirSync(path.join(root, 'docs')).filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`)];

/** `{ page, line, language, code, mark }` of each block of a text. */
function blocksOf(page, text) {
	const found = [];
	const lines = text.split('\n');
	for (let at = 0; at < lines.length; ++at) {
		const fence = /^\s*```(.*)$/.exec(lines[at]);
		if (!fence) continue;
		const from = at + 1;
		while (++at < lines.length && !/^\s*```$/.test(lines[at]));
		found.push({ page, line: from, at: `${page}:${from}`, language: fence[1], code: `${lines.slice(from, at).join('\n')}\n`, mark: /^<!-- ((?:not run: |run by ).*) -->$/.exec(lines[from - 2] ?? '')?.[1] });
	}
	return found;
}

module.exports = { root, pages, blocksOf, blocks: () => pages.flatMap((page) => blocksOf(page, fs.readFileSync(path.join(root, page), 'utf8'))) };
