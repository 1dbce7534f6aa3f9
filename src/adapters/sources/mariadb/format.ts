import { createReadStream } from 'node:fs';
import { counted } from '../../../domain/counted.ts';
import { HoldfastError } from '../../../domain/errors.ts';
import { compareFacts, type Facts } from '../../../domain/facts.ts';
import type { Bytes } from '../../../ports/bytes.ts';
import type { Finding, ItemFormat } from '../../../ports/source.ts';
import { readScript } from './read-script.ts';

/** An item is a script of `mariadb-dump`; the client `mariadb` loads it. */
export const format: ItemFormat = {
  kind: 'mariadb',
  tree: false,
  async inspect(bytes, recorded, _workspace, signal) {
    const found = await read(bytes, signal);
    if (typeof found === 'string') return [{ name: 'script', outcome: 'failed', detail: found }];
    return [{ name: 'script', outcome: 'passed', detail: 'read to its end' }, compared(recorded, found)];
  },
  async facts(path, _roots, signal) {
    const found = await read(createReadStream(path, { highWaterMark: 1024 ** 2 }), signal);
    if (typeof found === 'string') throw new HoldfastError('Damaged', `${path}: ${found}.`, path);
    return found;
  },
};

async function read(bytes: Bytes, signal: AbortSignal): Promise<Facts | string> {
  const reader = readScript();
  for await (const chunk of bytes) {
    signal.throwIfAborted();
    reader.take(chunk);
  }
  return reader.end();
}

function compared(recorded: Facts, found: Facts): Finding {
  const differences = compareFacts(recorded, found).map(
    ({ fact, expected, actual }) => `${fact}: ${expected ?? 'none'} expected, ${actual ?? 'none'} found`,
  );
  const tables = Object.values(found.tables ?? {});
  const rows = tables.reduce((sum, count) => sum + count, 0);
  return {
    name: 'facts',
    outcome: differences.length > 0 ? 'failed' : 'passed',
    detail: differences.slice(0, 10).join('; ') || `${counted(rows, 'row')} in ${counted(tables.length, 'table')}`,
  };
}
