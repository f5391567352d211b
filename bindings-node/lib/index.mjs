// The CommonJS file is the one instance; this only names its parts for `import`.
import Database from './index.js';

export default Database;
export const { SqliteError, KeelError, open, databaseFile, databases, fromHandle, library, openHandles, assertNoLeaks, constants } = Database;
