#!/usr/bin/env node
'use strict';
// `npx litekeel`: starts the command that lies beside the library, in the platform's package or this repository's target.
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

function locate() {
	const library = require('../lib/locate-library')();
	const command = path.join(path.dirname(library), 'litekeel');
	if (!fs.existsSync(command)) throw new Error(`${library} is there, but no command beside it; install the same version of every litekeel package, or build it (cargo build --release)`);
	return command;
}

let command;
try {
	command = locate();
} catch (error) {
	process.stderr.write(`litekeel: ${error.message}\n`);
	process.exit(3);
}
const child = spawn(command, process.argv.slice(2), { stdio: 'inherit' });
// Ctrl-C reaches both through the terminal: the command decides how it ends. What is sent to this process alone is passed on.
process.on('SIGINT', () => {});
for (const signal of ['SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('error', (error) => {
	process.stderr.write(`litekeel: ${command} cannot be started: ${error.message}\n`);
	process.exitCode = 3;
});
child.on('exit', (code, signal) => {
	process.exitCode = signal ? 128 + os.constants.signals[signal] : code;
});
