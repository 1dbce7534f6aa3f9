import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { counted } from '../../../domain/counted.ts';
import { HoldfastError } from '../../../domain/errors.ts';
import { compareFacts, type Facts } from '../../../domain/facts.ts';
import type { Bytes } from '../../../ports/bytes.ts';
import type { Finding, ItemFormat } from '../../../ports/source.ts';
import { openDatabases } from '../online-backup/sqlite.ts';
import type { Examined } from '../online-backup/worker.ts';

const factsOf = ({ tables, uncounted }: Examined): Facts => ({ tables, ...(uncounted.length > 0 && { uncounted }) });

/** An item is the database file itself; it opens with `sqlite3`. */
export const format: ItemFormat = {
  kind: 'sqlite',
  tree: false,
  async inspect(bytes, recorded, workspace, signal) {
    const path = join(workspace, 'inspected.db');
    try {
      await write(path, bytes, signal);
      await using databases = openDatabases();
      return findings(await databases.examine(path, signal), recorded);
    } finally {
      await rm(path, { force: true });
    }
  },
  async facts(path, _roots, signal) {
    await using databases = openDatabases();
    const seen = await databases.examine(path, signal);
    // a capture refuses a damaged database, so that what is damaged now was stored otherwise
    const wrong = 'unreadable' in seen ? seen.unreadable : seen.damage.slice(0, 3).join('; ');
    if ('unreadable' in seen || wrong !== '') throw new HoldfastError('Damaged', `${path}: ${wrong}.`, path);
    return factsOf(seen);
  },
};

async function write(path: string, bytes: Bytes, signal: AbortSignal): Promise<void> {
  await using file = await open(path, 'w', 0o600);
  for await (const chunk of bytes) {
    signal.throwIfAborted();
    await file.writeFile(chunk).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'ENOSPC') throw cause;
      throw new HoldfastError('NoSpace', 'The copy of a database that is inspected does not fit.', path, { cause });
    });
  }
}

/** Pure: what was seen, in words. Rows that point to nothing are the application's affair and no damage. */
function findings(seen: Examined | { readonly unreadable: string }, recorded: Facts): readonly Finding[] {
  if ('unreadable' in seen) return [{ name: 'integrity_check', outcome: 'failed', detail: seen.unreadable }];
  const checked = integrity(seen);
  if (checked.outcome === 'failed') return [checked];
  const differences = compareFacts(recorded, factsOf(seen));
  const rows = Object.values(seen.tables).reduce((sum, count) => sum + count, 0);
  const different = differences.map(({ fact, expected, actual }) => `${fact}: ${expected} expected, ${actual} found`);
  return [
    checked,
    { name: 'foreign_key_check', outcome: 'passed', detail: printForeignKeys(seen.foreignKeys) },
    {
      name: 'facts',
      outcome: differences.length > 0 ? 'failed' : 'passed',
      detail: different.join('; ') || `${counted(rows, 'row')} in ${counted(Object.keys(seen.tables).length, 'table')}`,
    },
  ];
}

function integrity({ damage, unchecked }: Examined): Finding {
  const undamaged = unchecked.length > 0 ? 'inconclusive' : 'passed';
  const outcome = damage.length > 0 ? 'failed' : undamaged;
  return { name: 'integrity_check', outcome, detail: [...damage, ...unchecked].join('; ') || 'ok' };
}

function printForeignKeys(count: number | null): string {
  if (count === null) return 'not checked: a declared key does not fit its table';
  return count === 0 ? 'ok' : `${count === 1000 ? '1000 or more' : count} rows point to rows that are not there`;
}
