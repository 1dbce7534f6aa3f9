import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { resolve } from 'node:path';
import { printName } from '../../../domain/tree-name.ts';
import type { Host } from '../../../ports/host.ts';
import { findSqlite } from './databases.ts';
import { findRoots, realPaths } from './roots.ts';
import { walk } from './walk.ts';

export interface LookOptions {
  readonly paths: readonly string[];
  readonly exclude: readonly string[];
  readonly crossMounts: boolean;
  readonly forbidden: readonly string[];
}

/** The databases that a capture of these paths would meet, as absolute names: files of SQLite, and files and folders that
 *  by their names are another server's. @throws what a capture throws before it reads a file */
export async function lookForDatabases(
  { paths, exclude, crossMounts, forbidden }: LookOptions,
  host: Host,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const folder = await mkdtemp(resolve(tmpdir(), 'holdfast-look-'));
  try {
    const own = await realPaths(forbidden, host, signal);
    const roots = await findRoots(paths, exclude, own, host, signal);
    const walked = await walk({ roots, exclude, forbidden: own, crossMounts, folder }, host, signal);
    const sqlite = await findSqlite(walked.candidates, signal);
    return [...sqlite.map((name) => `/${printName(name)}`), ...walked.databases.map(printName)].toSorted();
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
