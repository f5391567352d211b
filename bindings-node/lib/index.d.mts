import Database from './index.js';

export default Database;
export const SqliteError: typeof Database.SqliteError;
export type SqliteError = Database.SqliteError;
export const KeelError: typeof Database.KeelError;
export type KeelError = Database.KeelError;
export const open: typeof Database.open;
export const databaseFile: typeof Database.databaseFile;
export const databases: typeof Database.databases;
export const fromHandle: typeof Database.fromHandle;
export const library: typeof Database.library;
export const openHandles: typeof Database.openHandles;
export const assertNoLeaks: typeof Database.assertNoLeaks;
export const constants: typeof Database.constants;

export type Tuned = Database.Tuned;
export type Options = Database.Options;
export type OpenOptions = Database.OpenOptions;
export type Databases = Database.Databases;
export type DatabasesOptions = Database.DatabasesOptions;
export type OpenReport = Database.OpenReport;
export type ReportRow = Database.ReportRow;
export type CloseReport = Database.CloseReport;
export type RunResult = Database.RunResult;
export type Statement<BindParameters extends unknown[] | {} = unknown[], Result = unknown> = Database.Statement<BindParameters, Result>;
export type Transaction<F extends (...args: any[]) => unknown = (...args: any[]) => unknown> = Database.Transaction<F>;
