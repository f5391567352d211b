'use strict';
// Installs the peers and runtimes of package.json beside the tests, once. Running it again is cheap.
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const HERE = __dirname;
const manifest = JSON.parse(fs.readFileSync(path.join(HERE, 'package.json'), 'utf8'));
const STAMP = path.join(HERE, 'node_modules', '.prepared');

module.exports = () => {
	const wanted = JSON.stringify(manifest.dependencies);
	if (fs.existsSync(STAMP) && fs.readFileSync(STAMP, 'utf8') === wanted) return;
	// better-sqlite3 12 builds or fetches its addon in an install script; nothing else here has one.
	execFileSync('npm', ['install', '--no-audit', '--no-fund', '--no-package-lock', '--loglevel=error'], { cwd: HERE, stdio: 'inherit' });
	fs.writeFileSync(STAMP, wanted);
};

if (require.main === module) module.exports();
