import { HoldfastError } from '../../../domain/errors.ts';
import type { Databases, ServerAddress } from '../../../ports/source.ts';
import { databaseOfItem } from '../server/names.ts';
import type { Client } from './client.ts';
import { type Filled, fillDatabase, type Readers } from './fill.ts';
import { changesOf, leavesOf } from './leaves.ts';
import { pathOf, stateOf } from './server.ts';
import { tallyOf } from './tally.ts';

/** CouchDB 3, PUT /{db}; those that begin with an underscore are the server's own. */
const NAME = /^[a-z_][a-z0-9_$()+/-]*$/;
const BESIDE = 'Restore it beside the present one: --database NAME, or to a folder: --to DIR';

/** How items go back into a running server: under a name that is free. CouchDB gives no database another name, so none
 *  takes the place of another. */
export function databasesOf(
  source: string,
  open: (signal: AbortSignal) => Promise<Client>,
  server: ServerAddress,
  readers: Readers = 'as dumped',
): Databases {
  const filled = new Map<string, Filled>();
  const noSwap = (): Promise<never> =>
    Promise.reject(
      new HoldfastError('Unsupported', 'CouchDB gives no database another name.', source, { hint: BESIDE }),
    );
  const exists = async (database: string, client: Client): Promise<boolean> => {
    if (!NAME.test(database))
      throw new HoldfastError('Usage', `CouchDB has no database of the name ${database}.`, database, {
        hint: 'Choose another: a small letter, then small letters, digits and _ $ ( ) + - /',
      });
    return (await stateOf(database, client)) !== null;
  };
  return {
    server,
    databaseOf: (item) => databaseOfItem('couchdb', item),
    async exists(database, signal) {
      await using client = await open(signal);
      return await exists(database, client);
    },
    async fill(database, bytes, signal) {
      await using client = await open(signal);
      if (await exists(database, client))
        throw new HoldfastError('TargetExists', `The server has a database ${database} already.`, database, {
          hint: 'Choose a name that is free',
        });
      const result = await fillDatabase(database, bytes(), readers, client);
      filled.set(database, result);
      return result.warnings;
    },
    apply: noSwap,
    async facts(database, signal) {
      await using client = await open(signal);
      const tally = tallyOf();
      try {
        const leaves = leavesOf(database, changesOf(database, client), client, () => undefined);
        for await (const { document } of leaves) tally.take(document);
      } catch (error) {
        throw client.explain(error);
      }
      const made = filled.get(database);
      if (made !== undefined && made.fingerprint !== tally.fingerprint())
        throw new HoldfastError('Damaged', `${database} has other revisions than what it was filled with.`, database, {
          hint: 'Restore it once more, and see that nothing else writes to it',
        });
      return tally.facts(made?.original ?? database);
    },
    confirmExchange: noSwap,
    swapIn: noSwap,
    swapBack: noSwap,
    readyAgain: noSwap,
    discard: noSwap,
    async drop(database, signal) {
      await using client = await open(signal);
      await client.ask({ method: 'DELETE', path: pathOf(database) }, [404]);
    },
  };
}
