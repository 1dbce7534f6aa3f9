import { HoldfastError } from '../../../domain/errors.ts';
import type { Facts } from '../../../domain/facts.ts';
import {
  byte,
  lengths,
  type RdbInput,
  RdbMalformed,
  RdbUnknown,
  type Reading,
  skip,
  skipShort,
  string,
  strings,
} from './rdb-input.ts';
import { moduleParts, valueType } from './rdb-values.ts';

const MAGIC = 'REDIS';
/** The checksum came with version 5, Redis 2.6. */
const FIRST_WITH_CHECKSUM = 5;

/** What came of an RDB. */
export type Scanned =
  | { readonly facts: Facts }
  /** It holds something of a Redis that is newer than this reader, so its keys cannot be counted. */
  | { readonly unknown: string }
  | { readonly malformed: string };

export interface RdbScan {
  take(chunk: Uint8Array): void;
  end(): Scanned;
}

/** Reads the structure of an RDB as its bytes pass, and counts the keys of every database by their type. A key whose time
 *  is over counts as long as it is in the bytes. */
export function scanRdb(): RdbScan {
  const input: RdbInput = { chunk: new Uint8Array(), at: 0 };
  const counts = new Map<string, number>();
  const reader = read(input, counts);
  let found: Scanned | null = null;
  return {
    take(chunk) {
      if (found !== null && 'facts' in found && chunk.length > 0) found = { malformed: 'bytes follow its end' };
      if (found !== null) return;
      [input.chunk, input.at] = [chunk, 0];
      try {
        if (reader.next().done !== true) return;
        found = input.at < chunk.length ? { malformed: 'bytes follow its end' } : { facts: factsOf(counts) };
      } catch (error) {
        if (error instanceof RdbUnknown) found = { unknown: error.message };
        else if (error instanceof RdbMalformed) found = { malformed: error.message };
        else throw error;
      }
    },
    end: () => found ?? { malformed: 'it ends in the middle' },
  };
}

function factsOf(counts: ReadonlyMap<string, number>): Facts {
  const keys = [...counts.values()].reduce((sum, count) => sum + count, 0);
  return { keys, keyTypes: Object.fromEntries([...counts].toSorted(([left], [right]) => (left < right ? -1 : 1))) };
}

function* read(input: RdbInput, counts: Map<string, number>): Reading {
  let header = '';
  while (header.length < MAGIC.length + 4) header += String.fromCharCode(yield* byte(input));
  if (!/^REDIS\d{4}$/.test(header)) throw new RdbMalformed('it does not begin as an RDB does');
  for (;;) {
    const code = yield* byte(input);
    const opcode = OPCODES.get(code);
    if (opcode !== undefined) yield* opcode(input);
    else if (code === 255) break;
    else {
      const { name, read: readValue } = valueType(code);
      if (!skipShort(input)) yield* string(input);
      if (readValue !== string || !skipShort(input)) yield* readValue(input);
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
  }
  if (Number(header.slice(MAGIC.length)) >= FIRST_WITH_CHECKSUM) yield* skip(input, 8);
}

function* moduleAuxiliary(input: RdbInput): Reading {
  yield* lengths(input, 3);
  yield* moduleParts(input);
}

/** RDB_OPCODE_… in the rdb.h of Redis 7.4: what stands between the keys. */
const OPCODES: ReadonlyMap<number, (input: RdbInput) => Reading> = new Map([
  [244, (input) => lengths(input, 3)], // sizes of a cluster's slot
  [245, string], // a library of functions
  [247, moduleAuxiliary],
  [248, (input) => lengths(input, 1)], // how long a key was idle
  [249, (input) => skip(input, 1)], // how often a key was used
  [250, (input) => strings(input, 2)], // a field about the RDB
  [251, (input) => lengths(input, 2)], // sizes of a database
  [252, (input) => skip(input, 8)], // the end of a key, milliseconds
  [253, (input) => skip(input, 4)], // the end of a key, seconds
  [254, (input) => lengths(input, 1)], // a database begins
]);

/** @throws Damaged; Unsupported for an RDB of a later Redis */
export function factsOrThrow(scanned: Scanned, path: string): Facts {
  if ('facts' in scanned) return scanned.facts;
  if ('malformed' in scanned)
    throw new HoldfastError('Damaged', `${path} is no whole RDB: ${scanned.malformed}.`, path);
  throw new HoldfastError('Unsupported', `${path} holds ${scanned.unknown}, which this version cannot count.`, path);
}
