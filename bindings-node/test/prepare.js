'use strict';
// Installs the peers and runtimes of package.json beside the tests, once. Running it again is cheap.
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

/** npm keeps what it fetches in the user's home, which not every user has: then there is one under target/. */
function requireHome() {
	try {
		fs.accessSync(os.homedir(), fs.constants.W_OK);
	} catch {
		process.env.HOME = path.join(__dirname, '..', '..', 'target', 'home');
		fs.mkdirSync(process.env.HOME, { recursive: true });
	}
}
requireHome();

/** Installs what `directory`'s package.json asks for, unless that has been done already. */
module.exports = (directory = __dirname, ...options) => {
	const manifest = JSON.parse(fs.readFileSync(path.join(directory, 'package.json'), 'utf8'));
	const stamp = path.join(directory, 'node_modules', '.prepared');
	const wanted = JSON.stringify(manifest.dependencies);
	if (fs.existsSync(stamp) && fs.readFileSync(stamp, 'utf8') === wanted) return;
	// better-sqlite3 12 builds or fetches its addon in an install script; nothing else here has one.
	execFileSync('npm', ['install', '--no-audit', '--no-fund', '--no-package-lock', '--loglevel=error', ...options], { cwd: directory, stdio: ['ignore', 'ignore', 'inherit'] });
	fs.writeFileSync(stamp, wanted);
};

if (require.main === module) module.exports();
