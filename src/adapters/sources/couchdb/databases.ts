import { HoldfastError } from '../../../domain/errors.ts';
import type { Databases, ServerAddress } from '../../../ports/source.ts';
import { databaseOfItem } from '../server/names.ts';
import type { Client } from './client.ts';
import { type Filled, fillDatabase } from './fill.ts';
import { changesOf, leavesOf } from './leaves.ts';
import { ADMINS_ALONE, dropDatabase, makeDatabase } from './make.ts';
import { type Header, readDump } from './read-dump.ts';
import { confirmExchange } from './rights.ts';
import { stateOf } from './server.ts';
import { discard, takeBack, takePlace } from './swap.ts';
import { tallyOf } from './tally.ts';

/** CouchDB 3, PUT /{db}; those that begin with an underscore are the server's own. */
const NAME = /^[a-z_][a-z0-9_$()+/-]*$/;

/** Whom it is open to: those who may read the database that was dumped, or admins of the server alone. */
type Readers = 'as dumped' | 'admins';

/** How items go back into a running server. CouchDB gives no database another name, so an exchange copies both. */
export function databasesOf(
  source: string,
  open: (signal: AbortSignal) => Promise<Client>,
  server: ServerAddress,
  readers: Readers = 'as dumped',
): Databases {
  const filled = new Map<string, Filled>();
  const exists = async (database: string, client: Client): Promise<boolean> => {
    if (!NAME.test(database))
      throw new HoldfastError('Usage', `CouchDB has no database of the name ${database}.`, database, {
        hint: 'Choose another: a small letter, then small letters, digits and _ $ ( ) + - /',
      });
    return (await stateOf(database, client)) !== null;
  };
  return {
    server,
    copies: true,
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
      const make = async ({ partitioned, security }: Header): Promise<void> =>
        await makeDatabase(database, { partitioned }, readers === 'admins' ? ADMINS_ALONE : security, client);
      const result = await fillDatabase(database, readDump(bytes()), make, client);
      filled.set(database, result);
      return result.warnings;
    },
    apply: () => Promise.reject(new HoldfastError('Unsupported', 'All items of CouchDB are databases.', source)),
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
    async confirmExchange(databases, signal) {
      await using client = await open(signal);
      await confirmExchange(databases, client);
    },
    async swapIn(database, staged, kept, signal) {
      await using client = await open(signal);
      await takePlace({ database, staged, kept }, client);
    },
    async swapBack(database, staged, kept, signal) {
      await using client = await open(signal);
      await takeBack({ database, staged, kept }, client);
    },
    readyAgain: async () => undefined, // what it needs is noted in it
    async discard(kept, signal) {
      await using client = await open(signal);
      await discard(kept, client);
    },
    async drop(database, signal) {
      await using client = await open(signal);
      await dropDatabase(database, client);
    },
  };
}
