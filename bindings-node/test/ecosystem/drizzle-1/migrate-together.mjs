// Processes that start together: litekeel's `migrate` applies each migration once.
import { drizzle, migrate } from 'litekeel/drizzle';
import { assertOnLitekeel } from '../orm/on-litekeel.mjs';
import together from '../orm/scenario-migrate-together.mjs';

await together({ drizzle, migrate, next: true });
assertOnLitekeel();
