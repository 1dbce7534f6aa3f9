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

/** Around a trigger or routine that is older than its database's collation a dump sets that of the database by its name,
 *  which here would be another one. No other statement of a dump names the database. */
export async function* renamed(bytes: Bytes, original: string, database: string): Bytes {
  const line = (name: string): Buffer => Buffer.from(`\nALTER DATABASE ${args.quoted(name)} `);
  const [wanted, instead] = [line(original), line(database)];
  let kept = Buffer.alloc(0);
  for await (const chunk of bytes) {
    const buffer = Buffer.concat([kept, chunk]);
    let from = 0;
    for (let at = buffer.indexOf(wanted); at >= 0; at = buffer.indexOf(wanted, from)) {
      yield buffer.subarray(from, at);
      yield instead;
      from = at + wanted.length;
    }
    const to = Math.max(from, buffer.length - wanted.length + 1);
    yield buffer.subarray(from, to);
    kept = buffer.subarray(to);
  }
  yield kept;
}
