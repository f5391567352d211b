#!/usr/bin/env bash
# Bun 1.4.5 (npm package @oven/bun-linux-x64): `process` emits 'newListener' but never 'removeListener', which every other
# EventEmitter does, Node's process too. A library that gives a signal another effect while the application has no listener of
# it cannot know when the last listener is gone; Bun then puts the signal's default back.
# Seen: Node 20 "process: newListener removeListener", Bun "process: newListener"; both tell both for an EventEmitter of one's own.
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
echo '{"private":true}' > package.json
npm install --no-audit --no-fund --loglevel=error @oven/bun-linux-x64@1.4.5
cat > events.js <<'JS'
const { EventEmitter } = require('node:events');
const told = (emitter) => {
	const heard = [];
	for (const name of ['newListener', 'removeListener']) emitter.on(name, (event) => { if (event === 'SIGTERM') heard.push(name); });
	const listener = () => {};
	emitter.on('SIGTERM', listener);
	emitter.removeListener('SIGTERM', listener);
	return heard.join(' ') || 'nothing';
};
console.log(`process: ${told(process)}; EventEmitter: ${told(new EventEmitter())}`);
JS
node=$(node events.js); bun=$(node_modules/@oven/bun-linux-x64/bin/bun events.js)
echo "node: $node"; echo "bun:  $bun"
[ "$node" = "process: newListener removeListener; EventEmitter: newListener removeListener" ]
[ "$bun" = "process: newListener; EventEmitter: newListener removeListener" ]
