import { HoldfastError } from '../../../domain/errors.ts';
import type { Bytes } from '../../../ports/bytes.ts';
import { type Replacement, replacedAtHead } from '../server/replace-head.ts';
import * as args from './args.ts';
import type { Client } from './client.ts';
import type { Definitions } from './definitions.ts';

/** What an archive is restored as. */
export interface Filled {
  readonly database: string;
  readonly restored: args.Restored;
  readonly definitions: Definitions;
  /** Of the archive; they can be had more than once. */
  readonly bytes: () => Bytes;
}

/** Fills a database that is empty. pg_restore empties the search path, so that nobody's function passes for another; but
 *  a function of the archive itself that leaves schemas out, in an index, a check or a materialized view, then finds
 *  nothing, and no archive of its database can be restored. Then all is done once more under the database's own path.
 *  @param empty makes the database anew
 *  @throws SourceFailed as pg_restore or psql did; Damaged when not all was taken; what `bytes` throws */
export async function restoreArchive(
  filled: Filled,
  empty: () => Promise<unknown>,
  client: Client,
  signal: AbortSignal,
): Promise<void> {
  const { database, restored, bytes, definitions } = filled;
  try {
    const command = client.command('pg_restore', args.restore(database, restored), null);
    return await feed(bytes(), database, (input) => client.host.feed([command], { signal, input }));
  } catch (error) {
    signal.throwIfAborted();
    const told = client.explain(error, database);
    if (!missesNames(told)) throw told;
  }
  await empty();
  const script = client.command('pg_restore', args.restoreAsScript(restored), null);
  const psql = client.command('psql', args.psql, database);
  try {
    await feed(bytes(), database, (input) => {
      const text = replacedAtHead(client.host.read([script], { signal, input }), withPath(searchPathOf(definitions)));
      return client.host.feed([psql], { signal, input: text });
    });
  } catch (error) {
    signal.throwIfAborted();
    throw client.explain(error, database);
  }
}

/** The hashes are compared when the last byte was taken. */
async function feed(bytes: Bytes, database: string, take: (input: Bytes) => Promise<unknown>): Promise<void> {
  let ended = false;
  async function* whole(): Bytes {
    yield* bytes;
    ended = true;
  }
  await take(whole());
  if (!ended)
    throw new HoldfastError('Damaged', `pg_restore did not take all of what ${database} is made of.`, database);
}

/** PostgreSQL's 42P01, 42883, 42704: relations, functions and operators, types. */
const missesNames = (error: unknown): boolean =>
  error instanceof HoldfastError &&
  /ERROR: .*(?:relation|function|operator|type) .*does not exist/s.test(error.message);

/** What `ALTER DATABASE … SET` says, which comes after the contents; else what a server has. */
const searchPathOf = ({ statements }: Definitions): string =>
  statements
    .flatMap(({ after, grants }) => (grants ? [] : (/^ SET search_path TO (.*);$/.exec(after)?.[1] ?? [])))
    .at(-1) ?? '"$user", public';

const EMPTY_PATH = "SELECT pg_catalog.set_config('search_path', '', false);\n";
/** Within so many bytes of its beginning a script sets the path. */
const HEAD_BYTES = 64 * 1024;
const withPath = (path: string): Replacement => ({
  within: HEAD_BYTES,
  wanted: EMPTY_PATH,
  instead: `SET search_path TO ${path};\n`,
});
