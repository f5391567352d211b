#!/usr/bin/env bash
# SQLite3 of PHP 8.4 (npm packages @php-wasm/node and @php-wasm/universal 3.1.54): rows of `INSERT … RETURNING` that are fetched are inserted twice. `query` and
# `execute` run the statement and reset it; the first `fetchArray` runs it again. No error and no warning; PDO inserts once. A
# guess beforehand was that fetching a row does not write.
# Seen: "SQLite3::query 2 rows, SQLite3Stmt::execute 2 rows, PDO 1 row".
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
echo '{"private":true,"type":"module"}' > package.json
npm install --no-audit --no-fund --loglevel=error --ignore-scripts @php-wasm/node@3.1.54 @php-wasm/universal@3.1.54
cat > returning.js <<'JS'
import { loadNodeRuntime } from '@php-wasm/node';
import { PHP } from '@php-wasm/universal';
const php = new PHP(await loadNodeRuntime('8.4', { emscriptenOptions: { processId: 1 } }));
const { text } = await php.run({ code: `<?php
$insert = "INSERT INTO t VALUES (1) RETURNING a";
$count = "SELECT count(*) FROM t";
$query = new SQLite3(":memory:");
$query->exec("CREATE TABLE t(a)");
$rows = $query->query($insert);
while ($rows->fetchArray());
$prepared = new SQLite3(":memory:");
$prepared->exec("CREATE TABLE t(a)");
$rows = $prepared->prepare($insert)->execute();
while ($rows->fetchArray());
$pdo = new PDO("sqlite::memory:");
$pdo->exec("CREATE TABLE t(a)");
$pdo->query($insert)->fetchAll();
printf("SQLite3::query %d rows, SQLite3Stmt::execute %d rows, PDO %d row", $query->querySingle($count), $prepared->querySingle($count), $pdo->query($count)->fetchColumn());
` });
console.log(text);
process.exit(0);
JS
seen=$(node returning.js)
echo "$seen"
[ "$seen" = "SQLite3::query 2 rows, SQLite3Stmt::execute 2 rows, PDO 1 row" ]
