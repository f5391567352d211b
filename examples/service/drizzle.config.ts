import { databaseFile } from 'litekeel';
import { defineConfig } from 'drizzle-kit';

// Where the environment has the variable already (CI, Docker) there is no .env to read.
if (!process.env.DATABASE_URL) process.loadEnvFile();
export default defineConfig({
	dialect: 'sqlite',
	schema: './src/schema.ts',
	out: './migrations',
	dbCredentials: { url: databaseFile() },
});
