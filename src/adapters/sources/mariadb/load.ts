import { HoldfastError } from '../../../domain/errors.ts';
import type { Bytes } from '../../../ports/bytes.ts';
import * as args from './args.ts';
import type { Client } from './client.ts';

/** Runs a script in a database. @throws SourceFailed; Damaged when the client stopped reading before its end */
export async function loadScript(database: string, bytes: Bytes, client: Client, signal: AbortSignal): Promise<void> {
  let ended = false;
  async function* whole(): Bytes {
    yield* bytes;
    ended = true;
  }
  try {
    const command = client.command(client.client, args.load(database));
    await client.host.feed([command], { signal, input: whole() });
  } catch (error) {
    signal.throwIfAborted();
    throw client.explain(error, database);
  }
  // The hashes are compared when the last byte was taken.
  if (!ended)
    throw new HoldfastError('Damaged', `The client did not take all of what ${database} is made of.`, database);
}

/** Of a dump, what names its database: around a trigger or routine that is older than its database's collation that is
 *  set by name, and a column whose default is of a sequence names that in full. Here both would be of another one. */
export async function* renamed(bytes: Bytes, original: string, database: string): Bytes {
  const collation = (name: string): Buffer => Buffer.from(`\nALTER DATABASE ${args.quoted(name)} `);
  const sequence = (name: string): Buffer => Buffer.from(`val(${args.quoted(name)}.`); // nextval, lastval
  const words = [
    { wanted: collation(original), instead: collation(database), applies: () => true },
    { wanted: sequence(original), instead: sequence(database), applies: isInColumn },
  ];
  const longest = Math.max(...words.map(({ wanted }) => wanted.length));
  let kept = Buffer.alloc(0);
  for await (const chunk of bytes) {
    const buffer = Buffer.concat([kept, chunk]);
    let from = 0;
    for (let next = firstOf(words, buffer, 0); next !== null; next = firstOf(words, buffer, next.end)) {
      if (!next.word.applies(buffer, next.at)) continue;
      yield buffer.subarray(from, next.at);
      yield next.word.instead;
      from = next.end;
    }
    const line = buffer.lastIndexOf('\n');
    const whole = buffer.length - line <= LONGEST_LINE ? line : buffer.length - longest + 1;
    const to = Math.max(from, whole, 0);
    yield buffer.subarray(from, to);
    kept = buffer.subarray(to);
  }
  yield kept;
}

/** Bytes of the longest line of a definition; one of values may be longer, and is not looked into. */
const LONGEST_LINE = 64 * 1024;

interface Word {
  readonly wanted: Buffer;
  readonly instead: Buffer;
  readonly applies: (buffer: Buffer, at: number) => boolean;
}

function firstOf(
  words: readonly Word[],
  buffer: Buffer,
  from: number,
): { readonly word: Word; readonly at: number; readonly end: number } | null {
  const found = words.flatMap((word) => {
    const at = buffer.indexOf(word.wanted, from);
    return at < 0 ? [] : [{ word, at, end: at + word.wanted.length }];
  });
  return found.toSorted((one, other) => one.at - other.at)[0] ?? null;
}

/** A line of a column begins with two spaces and its name. No value has a newline that is not escaped. */
function isInColumn(buffer: Buffer, at: number): boolean {
  const line = buffer.lastIndexOf('\n', at);
  return line >= 0 && buffer.subarray(line + 1, line + 4).equals(COLUMN);
}

const COLUMN = Buffer.from('  `');
