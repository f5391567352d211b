#!/usr/bin/env bash
# sql.js 1.16.0 (npm): a number that does not fit into 32 bits is bound as a REAL, a smaller one as an INTEGER. So a time in milliseconds in a TEXT column is
# "1735689600000.0", in JSON too, and not equal to the text of its digits, while 5 is "5". A BigInt is bound as text. A guess beforehand was that all
# whole numbers are stored alike.
# Seen: "5: '5' integer [5]; 1735689600000: '1735689600000.0' real [1735689600000.0]; 1735689600000n: '1735689600000' text ["1735689600000"]".
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
echo '{"private":true}' > package.json
npm install --no-audit --no-fund --loglevel=error --ignore-scripts sql.js@1.16.0
cat > stored.js <<'JS'
(async () => {
	const db = new (await require('sql.js')()).Database();
	db.run('CREATE TABLE t(name TEXT, any)');
	const stored = (value) => {
		db.run('DELETE FROM t');
		db.run('INSERT INTO t VALUES (?, ?)', [value, value]);
		return db.exec('SELECT quote(name), typeof(any), json_array(any) FROM t')[0].values[0].join(' ');
	};
	console.log(`5: ${stored(5)}; 1735689600000: ${stored(1735689600000)}; 1735689600000n: ${stored(1735689600000n)}`);
})();
JS
seen=$(node stored.js)
echo "$seen"
[ "$seen" = "5: '5' integer [5]; 1735689600000: '1735689600000.0' real [1735689600000.0]; 1735689600000n: '1735689600000' text [\"1735689600000\"]" ]
