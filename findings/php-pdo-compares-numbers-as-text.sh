#!/usr/bin/env bash
# PDO of PHP 8.4 (npm packages @php-wasm/node and @php-wasm/universal 3.1.54) on SQLite: `execute([4])` binds the integer as text, and in SQLite every number is less than every text. So
# `length(name) > ?` and `sum(n) > ?` find nothing, without an error, while `n > ?` of a column declared INTEGER works. `bindValue(1, 4)` does the same, a float has
# no type that one could ask for, and false is an empty text. A guess beforehand was that a PHP integer is compared as one.
# Seen: "length(name) > 4: 0 of 1; sum(n) > 4: 0 of 1; n > 4: 1 of 1; bindValue: 0, with PARAM_INT: 1; 1.5 with PARAM_INT: 1; false: text ''".
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
echo '{"private":true,"type":"module"}' > package.json
npm install --no-audit --no-fund --loglevel=error --ignore-scripts @php-wasm/node@3.1.54 @php-wasm/universal@3.1.54
cat > compare.js <<'JS'
import { loadNodeRuntime } from '@php-wasm/node';
import { PHP } from '@php-wasm/universal';
const php = new PHP(await loadNodeRuntime('8.4', { emscriptenOptions: { processId: 1 } }));
const { text } = await php.run({ code: `<?php
$db = new PDO("sqlite::memory:");
$db->exec("CREATE TABLE t(name TEXT, n INTEGER); INSERT INTO t VALUES ('abcdef', 10)");
$found = function ($where) use ($db) {
	$query = $db->prepare("SELECT name FROM t $where");
	$query->execute([4]);
	return count($query->fetchAll()) . " of 1";
};
$bound = function ($sql, ...$parameter) use ($db) {
	$query = $db->prepare($sql);
	$query->bindValue(1, ...$parameter);
	$query->execute();
	return $query->fetchColumn();
};
$longer = "SELECT count(*) FROM t WHERE length(name) > ?";
echo "length(name) > 4: " . $found("WHERE length(name) > ?") . "; sum(n) > 4: " . $found("GROUP BY name HAVING sum(n) > ?")
	. "; n > 4: " . $found("WHERE n > ?") . "; bindValue: " . $bound($longer, 4) . ", with PARAM_INT: " . $bound($longer, 4, PDO::PARAM_INT)
	. "; 1.5 with PARAM_INT: " . $bound("SELECT quote(?)", 1.5, PDO::PARAM_INT) . "; false: " . $bound("SELECT typeof(?1) || ' ' || quote(?1)", false);
` });
console.log(text);
process.exit();
JS
seen=$(node compare.js)
echo "$seen"
[ "$seen" = "length(name) > 4: 0 of 1; sum(n) > 4: 0 of 1; n > 4: 1 of 1; bindValue: 0, with PARAM_INT: 1; 1.5 with PARAM_INT: 1; false: text ''" ]
