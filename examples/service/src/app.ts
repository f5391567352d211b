import express, { type ErrorRequestHandler } from 'express';
import type Database from 'litekeel';
import type { DrizzleDB } from './database.ts';
import { SiteService } from './site-service.ts';

/** What litekeel's errors carry beside the message. */
type DatabaseError = Error & { code?: string; hint?: string; holders?: unknown };

export function createApp(connection: Database.Database, db: DrizzleDB) {
	const app = express();
	const service = new SiteService(db);
	app.use(express.json());

	// Ready while the database is well: an orchestrator restarts the process when its file or locks were taken away.
	app.get('/health', (_request, response) => {
		const health = connection.health();
		response.status(health.good ? 200 : 503).json({ ok: health.good });
	});
	app.get('/sites', (_request, response) => {
		response.json(service.list());
	});
	app.post('/sites', (request, response) => {
		response.status(201).json(service.create(request.body.host, request.body.body ?? ''));
	});
	app.get('/sites/:host/:slug', (request, response) => {
		const page = service.page(request.params.host, request.params.slug);
		if (page) response.json(page);
		else response.status(404).json({ error: 'not found' });
	});

	// A message names paths and processes: it is for the log. A client gets the code.
	const failed: ErrorRequestHandler = (failure: DatabaseError, _request, response, _next) => {
		const error = (failure.cause as DatabaseError | undefined)?.code ? (failure.cause as DatabaseError) : failure;
		const code = error.code ?? 'INTERNAL';
		console.error({ code, message: error.message, hint: error.hint, holders: error.holders });
		const status = code.startsWith('SQLITE_BUSY') ? 503 : code.startsWith('SQLITE_CONSTRAINT') ? 409 : 500;
		if (status === 503) response.set('Retry-After', '1');
		response.status(status).json({ error: code });
	};
	app.use(failed);
	return app;
}
