'use strict';
// The libSQL server that SQLD names (scripts/test-scale installs it), as a child process on loopback.
const { spawn } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const net = require('node:net');
const os = require('node:os');
const path = require('node:path');
const { setTimeout: sleep } = require('node:timers/promises');

async function freePort() {
	const listener = net.createServer().listen(0, '127.0.0.1');
	await once(listener, 'listening');
	const { port } = listener.address();
	listener.close();
	await once(listener, 'close');
	return port;
}

/** A server that ends with the test `t`. `replicaOf` is another one; `options` are more of its arguments. */
async function server(t, { replicaOf, options = [] } = {}) {
	const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'litekeel-'));
	let child = null;
	const self = {
		port: 0,
		grpc: 0,
		url: (more = '') => `libsql://127.0.0.1:${self.port}?tls=0${more}`,
		/** Statements as any client sends them, on a stream of their own or on that of a baton. */
		async raw(statements, baton = null) {
			const requests = statements.map((sql) => ({ type: 'execute', stmt: { sql } }));
			const answer = await fetch(`http://127.0.0.1:${self.port}/v3/pipeline`, { method: 'POST', body: JSON.stringify({ baton, requests }) });
			return answer.json();
		},
		/** Starts it again where it was; the first time it looks for ports until nobody has taken them meanwhile. */
		async start() {
			const first = self.port === 0;
			for (let attempt = 0; attempt < 5; ++attempt) {
				if (first) [self.port, self.grpc] = [await freePort(), await freePort()];
				const log = fs.openSync(path.join(directory, 'log'), 'a');
				const grpc = replicaOf ? ['--primary-grpc-url', `http://127.0.0.1:${replicaOf.grpc}`] : ['--grpc-listen-addr', `127.0.0.1:${self.grpc}`];
				child = spawn(process.env.SQLD, ['--no-welcome', '--db-path', path.join(directory, 'data'), '--http-listen-addr', `127.0.0.1:${self.port}`, ...grpc, ...options], { stdio: ['ignore', log, log] });
				fs.closeSync(log);
				for (let waited = 0; waited < 600 && child.exitCode === null; ++waited) {
					const well = await fetch(`http://127.0.0.1:${self.port}/health`).then((answer) => answer.ok, () => false);
					if (well) return self;
					await sleep(50);
				}
				await self.kill();
				await sleep(300);
			}
			throw new Error(`it does not start: ${fs.readFileSync(path.join(directory, 'log'), 'utf8')}`);
		},
		/** As a power cut would. */
		async kill() {
			if (child === null || child.exitCode !== null || child.signalCode !== null) return;
			const gone = once(child, 'exit');
			child.kill('SIGKILL');
			await gone;
		},
		directory,
	};
	t.after(async () => {
		await self.kill();
		fs.rmSync(directory, { recursive: true });
	});
	return self.start();
}

module.exports = { server, freePort };
