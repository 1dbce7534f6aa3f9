import { createReadStream } from 'node:fs';
import { counted } from '../../../domain/counted.ts';
import { HoldfastError } from '../../../domain/errors.ts';
import { compareFacts, type Facts } from '../../../domain/facts.ts';
import type { Bytes } from '../../../ports/bytes.ts';
import type { Finding, ItemFormat } from '../../../ports/source.ts';
import { NotWhole, readDump } from './read-dump.ts';

/** An item is a database as lines of JSON (README.md). */
export const format: ItemFormat = {
  kind: 'couchdb',
  tree: false,
  async inspect(bytes, recorded, _workspace, signal) {
    const found = await read(bytes, signal);
    if (typeof found === 'string') return [{ name: 'lines', outcome: 'failed', detail: found }];
    return [
      { name: 'lines', outcome: 'passed', detail: 'read to its end, its hash is right' },
      compared(recorded, found),
    ];
  },
  async facts(path, _roots, signal) {
    const found = await read(createReadStream(path, { highWaterMark: 1024 ** 2 }), signal);
    if (typeof found === 'string') throw new HoldfastError('Damaged', `${path}: ${found}.`, path);
    return found;
  },
};

/** What the dump holds, or words for what is wrong. */
async function read(bytes: Bytes, signal: AbortSignal): Promise<Facts | string> {
  let facts: Facts = {};
  try {
    for await (const line of readDump(bytes)) {
      signal.throwIfAborted();
      if (line.type === 'end') facts = line.facts;
    }
  } catch (error) {
    if (error instanceof NotWhole) return error.message;
    throw error;
  }
  return facts;
}

function compared(recorded: Facts, found: Facts): Finding {
  const differences = compareFacts(recorded, found).map(
    ({ fact, expected, actual }) => `${fact}: ${expected ?? 'none'} expected, ${actual ?? 'none'} found`,
  );
  const [documents = 0] = Object.values(found.documents ?? {});
  const words = [
    counted(documents, 'document'),
    `${found.deleted ?? 0} deleted`,
    counted(found.attachments ?? 0, 'attachment'),
  ];
  return {
    name: 'facts',
    outcome: differences.length > 0 ? 'failed' : 'passed',
    detail: differences.slice(0, 10).join('; ') || words.join(', '),
  };
}
