'use strict';
// The rows of the matrix. `prepare` makes a host ready, or says what is missing.
const { execFileSync, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const works = (command, ...words) => { const { status } = spawnSync(command, words); return status === 0; };
const quiet = { stdio: ['ignore', 'ignore', 'inherit'] };

exports.hosts = (root, scratch) => {
	const programs = path.join(__dirname, 'hosts');
	const file = (name) => path.join(programs, name);
	const lib = path.join(scratch, 'lib');
	/** The library under its soname. */
	function installed() {
		if (fs.existsSync(lib)) return;
		fs.mkdirSync(lib);
		for (const name of ['liblitekeel.so', 'liblitekeel.so.0']) fs.symlinkSync(process.env.LITEKEEL_LIBRARY, path.join(lib, name));
	}
	const interpreter = (language, command, program, extra = {}) => ({
		name: language, language, command: [command, ...(extra.words ?? []), file(program)], forks: true,
		prepare: () => (works(command, ...(extra.check ?? ['--version'])) ? undefined : extra.missing ?? `${command} is not installed`), ...extra,
	});
	const runtimes = require(path.join(root, 'bindings-node/test/runtimes.js'));
	const javascript = (name, language, command, extra) => [false, true].map((worker) => ({
		name: worker ? `${name}, worker` : name, language, command, worker, forks: false,
		/** With a listener of its own the application has the signal for itself. */
		listens: true,
		prepare: () => {
			require(path.join(root, 'bindings-node/test/prepare.js'))();
			return works(command[0], '--version') ? undefined : `${command[0]} is not there`;
		},
		...extra,
	}));
	return [
		{
			name: 'C', language: 'C', short: true, forks: true, command: [path.join(scratch, 'host-c')],
			prepare: () => {
				if (!works('cc', '--version')) return 'there is no C compiler';
				installed();
				execFileSync('cc', ['-O1', '-Wall', '-Wextra', '-Werror', `-I${root}/include`, '-o', path.join(scratch, 'host-c'), file('host.c'), `-L${lib}`, '-llitekeel', `-Wl,-rpath,${lib}`], quiet);
			},
		},
		...[20, 22, 24, 26].flatMap((major) => javascript(`Node ${major}`, 'Node', [runtimes.node(major), file('host.cjs')], { short: major === 20 || major === 24 })),
		...javascript('Bun', 'Bun', [runtimes.bun, file('host.cjs')], { short: true }),
		...javascript('Deno', 'Deno', [path.join(__dirname, 'node_modules/@deno/linux-x64-glibc/deno'), 'run', '--allow-all', file('host.cjs')], {
			prepare: () => {
				require(path.join(root, 'bindings-node/test/prepare.js'))(__dirname);
			},
		}),
		interpreter('Python', 'python3', 'host.py', { short: true }),
		interpreter('Ruby', 'ruby', 'host.rb'),
		interpreter('PHP', 'php', 'host.php', { check: ['-r', 'exit(extension_loaded("ffi") && extension_loaded("pcntl") ? 0 : 1);'], missing: 'php with the extensions FFI and pcntl is not installed' }),
		interpreter('Perl', 'perl', 'host.pl', { check: ['-MFFI::Platypus', '-e', '1'], missing: 'perl with FFI::Platypus is not installed' }),
		interpreter('LuaJIT', 'luajit', 'host.lua', { check: ['-v'], handler: 'LuaJIT has no signal handlers' }),
		{
			name: 'Go', language: 'Go', short: true, forks: false, command: [path.join(scratch, 'host-go')],
			prepare: () => {
				const go = ['go', '/usr/local/go/bin/go'].find((command) => works(command, 'version'));
				if (go === undefined) return 'go is not installed';
				installed();
				const env = { ...process.env, CGO_CFLAGS: `-I${root}/include`, CGO_LDFLAGS: `-L${lib} -Wl,-rpath,${lib}`, CGO_ENABLED: '1', GOFLAGS: '-mod=mod' };
				execFileSync(go, ['build', '-o', path.join(scratch, 'host-go'), file('host.go')], { ...quiet, cwd: scratch, env });
			},
		},
		{
			name: 'Java', language: 'Java', short: true, forks: false,
			command: ['java', '-cp', `${path.join(scratch, 'jna.jar')}:${scratch}`, 'Host'],
			prepare: () => {
				if (!works('javac', '--version') || !works('mvn', '--version')) return 'a JDK and maven are not installed';
				execFileSync('mvn', ['-q', '-B', 'dependency:copy', `-DoutputDirectory=${scratch}`, '-Dmdep.stripVersion=true', '-Dartifact=net.java.dev.jna:jna:5.17.0'], { ...quiet, cwd: scratch });
				execFileSync('javac', ['-nowarn', '-XDignore.symbol.file', '-cp', path.join(scratch, 'jna.jar'), '-d', scratch, file('Host.java')], { stdio: 'ignore' });
			},
		},
	];
};
