// What is typed with @types/better-sqlite3 takes litekeel's objects, and better-sqlite3's names mean the same here.
import Real = require('../node_modules/@types/better-sqlite3/index');
import Database = require('litekeel');

const constructor: typeof Real = Database;
const database: Real.Database = new Database(':memory:', { readonly: false, fileMustExist: false, timeout: 5000, verbose: console.log });
const called: Database.Database = Database('file.db');
const tuned: Real.Database = Database.open('file:data/app.db');
const statement: Real.Statement<[number], { a: number }> = called.prepare<[number], { a: number }>('SELECT ? AS a');
const named: Real.Statement<{ id: number }> = called.prepare<{ id: number }>('SELECT @id');
const transaction: Real.Transaction<(a: number) => string> = called.transaction((a: number) => String(a));
const result: Real.RunResult = called.prepare('DELETE FROM t').run();
const options: Database.Options = {} as Real.Options;
const columns: Real.ColumnDefinition[] = statement.columns();
const failure: Error & { code: string } = new Database.SqliteError('message', 'SQLITE_ERROR');
const registration: Database.RegistrationOptions = {} as Real.RegistrationOptions;
const aggregate: Real.AggregateOptions = {} as Database.AggregateOptions;

class Subclass extends Database {
	own() { return this.prepare('SELECT 1').get(); }
}
const subclass: Real.Database = new Subclass(':memory:');

export = [constructor, database, tuned, named, transaction, result, options, columns, failure, registration, aggregate, subclass];
