import { databaseFile } from 'litekeel';

process.loadEnvFile(new URL('.env', import.meta.url));
export default { dialect: 'sqlite', schema: './schema.js', out: './migrations', casing: 'snake_case', dbCredentials: { url: databaseFile() } };
