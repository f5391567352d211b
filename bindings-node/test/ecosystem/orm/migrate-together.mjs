// Processes that start together: litekeel's `migrate` applies each migration once.
import { drizzle, migrate } from 'litekeel/drizzle';
import { assertOnLitekeel } from './on-litekeel.mjs';
import together from './scenario-migrate-together.mjs';

await together({ drizzle, migrate, next: false });
assertOnLitekeel();
