import type { AddressInfo } from 'node:net';
import { createApp } from './app.ts';
import { openDatabase } from './database.ts';

const { connection, db } = openDatabase();
// What is worth a line in the log while the service runs: docs/events.md lists all events.
connection.on('busy_wait', (event) => console.warn('busy_wait', event));
connection.on('wal_stalled', (event) => console.warn('wal_stalled', event));

const server = createApp(connection, db).listen(Number(process.env.PORT ?? 3000));
server.once('listening', () => console.log('listening on', (server.address() as AddressInfo).port));

// Requests first, then the database. An orchestrator sends SIGTERM and waits.
for (const signal of ['SIGTERM', 'SIGINT'] as const) {
	process.once(signal, () => {
		server.close(() => connection.close());
		server.closeIdleConnections();
	});
}
