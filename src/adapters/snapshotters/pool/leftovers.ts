import { PROVISIONAL } from '../../../domain/pool-names.ts';
import { readEntries } from './folder.ts';
import type { Pool } from './pool.ts';

let made = 0;

/** A name for something that this process has for a moment: a kill leaves it behind, and its name tells whose it was. */
export const momentaryName = (purpose: 'diff' | 'making' | 'removed'): string =>
  `${PROVISIONAL}${purpose}-${process.pid}-${++made}`;

const MOMENTARY = new RegExp(`^\\${PROVISIONAL}(?:diff|making|removed)-(\\d+)-\\d+$`);

/** What processes that are gone left behind in a folder. */
export async function leftoversIn(pool: Pool, folder: string, signal: AbortSignal): Promise<readonly string[]> {
  const left: string[] = [];
  for (const { name, path } of await readEntries(pool.host, folder, signal)) {
    const [, owner] = MOMENTARY.exec(name) ?? [];
    if (owner === undefined || (await pool.host.files.status(`/proc/${owner}`, signal)) !== null) continue;
    left.push(path);
  }
  return left;
}
