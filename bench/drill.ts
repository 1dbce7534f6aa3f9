// The speed of drills: `node bench/drill.ts`, as root, with PostgreSQL's server and zstd; 2 GB of room.
import { execFileSync } from 'node:child_process';
import { chmodSync, globSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type PostgresServer, postgresServer } from '../test/services/postgres.ts';

const MAIN = resolve(import.meta.dirname, '../src/main.ts');
const ROUNDS = Number(process.env.ROUNDS ?? 5);
/** As the scratch server is started, so that the same work is compared. */
const PEER = {
  full_page_writes: 'off',
  synchronous_commit: 'off',
  wal_level: 'minimal',
  max_wal_senders: '0',
  autovacuum: 'off',
  maintenance_work_mem: '128MB',
};

interface Drilled {
  readonly phases: readonly { readonly name: string; readonly durationMs: number }[];
  readonly items: readonly { readonly name: string; readonly durationMs: number }[];
  readonly durationMs: number;
}

const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-drill-'));
chmodSync(folder, 0o711);
mkdirSync(join(folder, 'scratch'), { mode: 0o711 });
const environment = { ...process.env, STATE_DIRECTORY: join(folder, 'state'), HOLDFAST_CONFIG: join(folder, 'h.yaml') };

const holdfast = (...args: readonly string[]): string =>
  execFileSync(process.execPath, [MAIN, ...args], {
    env: environment,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
const drill = (service: string): Drilled =>
  JSON.parse(holdfast('drill', service, '--scratch', join(folder, 'scratch'), '--json', '--no-progress', '--quiet'));

/** Rows of every length, with an index: a third of the time of a restore. */
const fill = (server: PostgresServer, database: string, rows: number): Promise<string> =>
  server.sql(
    database,
    `create table t (id bigint primary key, word text, body text); insert into t select g, md5(g::text),
     repeat(md5(g::text), g % 12) from generate_series(1, ${rows}) g; create index on t (word)`,
  );

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((left, right) => left - right)[Math.floor(numbers.length / 2)] ?? 0;
const spread = (numbers: readonly number[], unit: string): string =>
  `${median(numbers).toFixed(2)}${unit} (${Math.min(...numbers).toFixed(2)} to ${Math.max(...numbers).toFixed(2)})`;
const phase = ({ phases }: Drilled, name: string): number =>
  (phases.find((one) => one.name === name)?.durationMs ?? Number.NaN) / 1000;

try {
  await using server = await postgresServer(PEER);
  const names = Array.from({ length: 13 }, (_, index) => `service_${index}`);
  for (const name of ['large', ...names]) await server.tool('createdb', name);
  await fill(server, 'large', 1_000_000);
  for (const name of names) await fill(server, name, 20_000);
  const source = (databases: readonly string[]): string =>
    `{ sources: { db: { postgres: { socket: ${server.socket}, runAs: postgres, databases: [${databases.join(', ')}], globals: true } } } }`;
  writeFileSync(
    join(folder, 'h.yaml'),
    `version: 1
repositories: { disk: { engine: archive, path: ./disk } }
services:
  large: ${source(['large'])}
  set: ${source(names)}
`,
  );
  holdfast('repository', 'init', 'disk');
  holdfast('backup', '--quiet');
  const [stored = ''] = globSync(join(folder, 'disk/large/*/postgres_large.dump.zst'));
  const peer = async (): Promise<number> => {
    const from = performance.now();
    await server.tool('createdb', '--template=template0', 'peer');
    const restore = `zstd -dcq '${stored}' | setpriv --reuid=postgres --regid=postgres --init-groups pg_restore --exit-on-error --no-password -h '${server.socket}' -U postgres -d peer`;
    execFileSync('sh', ['-c', restore], { cwd: folder });
    const seconds = (performance.now() - from) / 1000;
    await server.tool('dropdb', 'peer');
    return seconds;
  };
  const [ratios, restores, peers, makes, removes, sets]: number[][] = [[], [], [], [], [], []];
  for (let round = 0; round < ROUNDS; round++) {
    const drilled = drill('large');
    const item = (drilled.items.find(({ name }) => name === 'postgres_large')?.durationMs ?? Number.NaN) / 1000;
    const bare = await peer();
    restores?.push(item);
    peers?.push(bare);
    ratios?.push(item / bare);
    makes?.push(phase(drilled, 'create'));
    removes?.push(phase(drilled, 'clean up'));
    sets?.push(drill('set').durationMs / 1000);
  }
  console.log(`load                                 ${execFileSync('uptime', { encoding: 'utf8' }).trim()}`);
  console.log(`restore of ${stored.split('/').at(-1)} in a drill  ${spread(restores ?? [], ' s')}`);
  console.log(`zstd -d, pg_restore                  ${spread(peers ?? [], ' s')}`);
  console.log(`ratio, promised 1.3                  ${spread(ratios ?? [], '')}`);
  console.log(`scratch server made and started      ${spread(makes ?? [], ' s')}`);
  console.log(`ended and removed                    ${spread(removes ?? [], ' s')}`);
  console.log(
    `both, promised 2 s                   ${spread(
      (makes ?? []).map((each, at) => each + (removes?.[at] ?? 0)),
      ' s',
    )}`,
  );
  console.log(`drill of 13 databases, promised 20 s ${spread(sets ?? [], ' s')}`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
