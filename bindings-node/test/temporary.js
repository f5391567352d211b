'use strict';
// A directory that goes away with its test.
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

module.exports = (t) => {
	const directory = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'keel-node-')));
	t.after(() => fs.rmSync(directory, { recursive: true, force: true }));
	return directory;
};
