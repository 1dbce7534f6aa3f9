import { expect, test } from 'vitest';
import { collect } from './contracts/captured-items.ts';
import {
  type PostgresServer,
  postgresAvailable,
  postgresServer,
  postgresSource,
  standbyOf,
} from './services/postgres.ts';
import { bytesOf, contextIn, temporaryFolder } from './sources/support.ts';

const never = (): AbortSignal => new AbortController().signal;

/** Until the standby has all that the primary wrote. */
const followed = (primary: PostgresServer, standby: PostgresServer): Promise<void> =>
  expect
    .poll(
      async () => {
        const written = await primary.sql('postgres', 'select pg_current_wal_lsn()');
        return await standby.sql('postgres', `select pg_last_wal_replay_lsn() >= '${written}'`);
      },
      { timeout: 30_000 },
    )
    .toBe('t');

test.runIf(postgresAvailable())(
  'a standby is dumped and counted like its primary, and nothing is restored into it',
  async () => {
    await using primary = await postgresServer();
    await using standby = await standbyOf(primary);
    await primary.tool('createdb', 'wiki');
    await primary.sql('wiki', 'create table t as select generate_series(1, 1000) x; select lo_from_bytea(0, $$x$$)');
    await followed(primary, standby);
    const source = postgresSource(standby.socket, ['wiki']);
    await using folder = await temporaryFolder();
    await using capture = await source.capture(contextIn(folder.path), never());
    const [item] = capture.items;
    if (item === undefined) throw new Error('There is no item.');
    const dump = await collect(bytesOf(item, never()));
    expect(item.completed()).toMatchObject({ facts: { tables: { 'public.t': 1000 }, largeObjects: 1 }, warnings: [] });
    const back = postgresSource(primary.socket, ['wiki']).databases;
    await back?.fill(
      'copy',
      async function* () {
        yield dump;
      },
      never(),
    );
    expect(await primary.sql('copy', 'select count(*), sum(x) from t')).toBe('1000|500500');
    await expect(source.databases?.confirmExchange(['wiki'], never())).rejects.toMatchObject({
      code: 'Refused',
      message: 'The server is a standby: nothing can be restored into it.',
    });
  },
  120_000,
);
