import { defineConfig } from 'vitest/config';

// A test file that leaves a connection open fails.
export default defineConfig({ test: { setupFiles: ['litekeel/vitest'] } });
