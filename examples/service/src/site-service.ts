import { and, eq } from 'drizzle-orm';
import type { DrizzleDB } from './database.ts';
import { pages, sites } from './schema.ts';

export class SiteService {
	constructor(private readonly db: DrizzleDB) {}

	list() {
		return this.db.query.sites.findMany({ with: { pages: { columns: { slug: true } } } }).sync();
	}

	page(host: string, slug: string) {
		return this.db
			.select({ body: pages.body })
			.from(pages)
			.innerJoin(sites, eq(pages.siteId, sites.id))
			.where(and(eq(sites.host, host), eq(pages.slug, slug)))
			.get();
	}

	add(host: string) {
		return this.db.insert(sites).values({ host }).returning().get();
	}

	savePage(siteId: number, slug: string, body: string) {
		const target = [pages.siteId, pages.slug];
		return this.db.insert(pages).values({ siteId, slug, body }).onConflictDoUpdate({ target, set: { body } }).returning().get();
	}

	/** A site with its first page: both, or neither. The services inside work on the transaction. */
	create(host: string, body: string) {
		return this.db.transaction((tx) => {
			const service = new SiteService(tx);
			const site = service.add(host);
			service.savePage(site.id, 'index', body);
			return site;
		});
	}
}
