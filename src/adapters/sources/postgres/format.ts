import { createReadStream } from 'node:fs';
import { counted } from '../../../domain/counted.ts';
import { HoldfastError } from '../../../domain/errors.ts';
import { compareFacts, type Facts } from '../../../domain/facts.ts';
import type { Bytes } from '../../../ports/bytes.ts';
import type { Finding, ItemFormat } from '../../../ports/source.ts';
import { readPipeline } from '../../../process/run.ts';
import { HEADER_BYTES, plainArchive, scanArchive } from './archive-scanner.ts';
import * as args from './args.ts';
import { scanData } from './data-scanner.ts';
import { readGlobals } from './globals.ts';
import { withoutWrapper } from './programs.ts';

/** pg_restore(1), custom format: the first bytes of an archive. */
const MAGIC = 'PGDMP';

/** An item is an archive of pg_dump's custom format, or the script of pg_dumpall; its first bytes tell which. */
export const format: ItemFormat = {
  kind: 'postgres',
  tree: false,
  async inspect(bytes, recorded, _workspace, signal) {
    const { reader, found } = await read(bytes, signal);
    if (typeof found === 'string') return [{ name: reader, outcome: 'failed', detail: found }];
    const findings: Finding[] = [{ name: reader, outcome: 'passed', detail: 'read to its end' }];
    return [...findings, compared(recorded, found)];
  },
  async facts(path, _roots, signal) {
    const { found } = await read(createReadStream(path, { highWaterMark: 1024 ** 2 }), signal);
    if (typeof found === 'string') throw new HoldfastError('Damaged', `${path}: ${found}.`, path);
    return found;
  },
};

interface Read {
  readonly reader: string;
  /** Words for what is wrong. */
  readonly found: Facts | string;
}

async function read(bytes: Bytes, signal: AbortSignal): Promise<Read> {
  const { first, all } = await begun(bytes);
  if (first.subarray(0, MAGIC.length).toString('latin1') !== MAGIC)
    return { reader: 'script', found: await readGlobals(all) };
  return { reader: 'pg_restore', found: await readArchive(first, all, signal) };
}

/** Looks at the first bytes, and gives all of them. */
async function begun(bytes: Bytes): Promise<{ readonly first: Buffer; readonly all: Bytes }> {
  const iterator = bytes[Symbol.asyncIterator]();
  const chunks: Uint8Array[] = [];
  let length = 0;
  while (length < HEADER_BYTES) {
    const { value, done } = await iterator.next();
    if (done === true) break;
    chunks.push(value);
    length += value.length;
  }
  async function* all(): Bytes {
    try {
      yield* chunks;
      for (;;) {
        const { value, done } = await iterator.next();
        if (done === true) return;
        yield value;
      }
    } finally {
      await iterator.return?.();
    }
  }
  return { first: Buffer.concat(chunks), all: all() };
}

/** Lets pg_restore read every block of data, packed or not, and counts rows: in the archive itself where it is not packed,
 *  else in what is printed. @throws what `bytes` throws; ToolMissing when this pg_restore cannot tell */
async function readArchive(first: Buffer, bytes: Bytes, signal: AbortSignal): Promise<Facts | string> {
  const header = plainArchive(first);
  const scan = header === null ? scanData() : scanArchive(header);
  let broken: { readonly error: unknown } | null = null;
  async function* watched(): Bytes {
    try {
      for await (const chunk of bytes) {
        if (header !== null) scan.take(chunk);
        yield chunk;
      }
    } catch (error) {
      broken = { error };
      throw error;
    }
  }
  const words = args.readData(header === null ? '-' : '/dev/null');
  const restore = { program: 'pg_restore', args: words, environment: withoutWrapper() };
  try {
    for await (const chunk of readPipeline([restore], { signal, input: watched() })) scan.take(chunk);
  } catch (error) {
    signal.throwIfAborted();
    if (broken !== null) throw (broken as { readonly error: unknown }).error;
    if (!(error instanceof HoldfastError) || error.code !== 'ProcessFailed') throw error;
    refuseOldReader(error);
    return error.message;
  }
  return scan.end() ?? 'it ends in the middle of a table';
}

/** What pg_restore says of an archive that a later version made, and of one whose packing it was not built with. */
function refuseOldReader(error: HoldfastError): void {
  if (!/unsupported version \(|does not support compression/.test(error.message)) return;
  throw new HoldfastError('ToolMissing', `This pg_restore cannot read it: ${error.message}`, 'pg_restore', {
    cause: error,
    hint: 'Install the client of the PostgreSQL that made the dump, or a later one',
  });
}

/** Tables that only one side knows differ too, unless they were not counted. */
function compared(recorded: Facts, found: Facts): Finding {
  const differences = compareFacts(recorded, found).map(
    ({ fact, expected, actual }) => `${fact}: ${expected ?? 'none'} expected, ${actual ?? 'none'} found`,
  );
  const rows = Object.values(found.tables ?? {}).reduce((sum, count) => sum + count, 0);
  const words =
    found.entries === undefined
      ? `${counted(rows, 'row')} in ${counted(Object.keys(found.tables ?? {}).length, 'table')}`
      : counted(found.entries, 'role or tablespace', 'roles and tablespaces');
  const uncounted = recorded.uncounted?.length ?? 0;
  const detail = uncounted > 0 ? `${words}, ${counted(uncounted, 'table')} not compared` : words;
  return {
    name: 'facts',
    outcome: differences.length > 0 ? 'failed' : 'passed',
    detail: differences.slice(0, 10).join('; ') || detail,
  };
}
