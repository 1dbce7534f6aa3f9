import { readdirSync, realpathSync } from 'node:fs';
import { basename, join } from 'node:path';
import { searchPath } from '../../../process/environment.ts';

/** Where Debian keeps the programs of each version. */
const VERSIONS = '/usr/lib/postgresql';
/** What Debian's psql, pg_dump and pg_restore are: a Perl script that looks for clusters, then starts a version's program.
 *  That takes 35 ms of a processor each time (2026-11-21, perf), and a backup starts two programs for each database. */
const WRAPPER = 'pg_wrapper';

let found: { readonly PATH?: string } | null = null;

/** The search path of this machine with the programs themselves before Debian's wrapper. Empty where there is no wrapper,
 *  or where it has several versions to choose from, which is its business. */
export function withoutWrapper(): { readonly PATH?: string } {
  found ??= lookForWrapper();
  return found;
}

function lookForWrapper(): { readonly PATH?: string } {
  const path = searchPath();
  const programs = path.split(':').flatMap((folder) => realPathOf(join(folder, 'pg_restore')) ?? []);
  if (basename(programs[0] ?? '') !== WRAPPER) return {};
  const versions = namesIn(VERSIONS).map((version) => join(VERSIONS, version, 'bin'));
  const [only, ...more] = versions.filter((folder) => realPathOf(join(folder, 'pg_restore')) !== null);
  return only === undefined || more.length > 0 ? {} : { PATH: `${only}:${path}` };
}

function realPathOf(path: string): string | null {
  try {
    return realpathSync(path);
  } catch {
    return null; // it is not there
  }
}

function namesIn(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
