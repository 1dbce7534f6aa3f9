// Measures the backup of a homelab's databases against the loop that people write, and its verify (see bench/README.md).
//   node bench/databases.ts     as root, with PostgreSQL, MariaDB, OpenLDAP and Redis     BENCH_FOLDER=/where/there/is/room ROUNDS=5
import { execFileSync } from 'node:child_process';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { directory, SUFFIX } from '../test/services/ldap.ts';
import { type MariadbServer, mariadbServer } from '../test/services/mariadb.ts';
import { type PostgresServer, postgresServer } from '../test/services/postgres.ts';
import { type RedisServer, redisServer } from '../test/services/redis.ts';
import { alternate, type Contender, measure, plainRow, ratioRow, secondsOf } from './measure.ts';

const root = join(import.meta.dirname, '..');
const folder = join(process.env.BENCH_FOLDER ?? join(tmpdir(), 'holdfast-bench'), 'databases');
const rounds = Number(process.env.ROUNDS ?? 5);
const program = process.env.HOLDFAST ?? `${root}/holdfast`;
const holdfast = `${program} --config ${folder}/holdfast.yaml --quiet`;

/** Thousands of rows. The largest dump takes a third of the time, as a photo library does among small services. */
const POSTGRES: Readonly<Record<string, number>> = {
  ...{ immich: 660, authentik: 280, nextcloud: 235, gitea: 140, miniflux: 117, paperless: 94 },
  ...{ grafana: 47, mealie: 47, vikunja: 23, authelia: 9, shlink: 5 },
};
const MARIADB: Readonly<Record<string, number>> = { bookstack: 94, seafile: 140 };
const ENTRIES = 2000;
const KEYS = 60_000;

/** About half of a row is random, so that it packs as text, numbers and hashes do. */
async function fillPostgres(server: PostgresServer): Promise<void> {
  for (const [name, thousands] of Object.entries(POSTGRES)) {
    await server.tool('createdb', name);
    await server.sql(
      name,
      `create table users (id int primary key, name text, mail text);
       insert into users select g, 'user ' || g, 'user' || g || '@home.lan' from generate_series(1, 200) g;
       create table entries (id bigint primary key, owner int references users, made timestamptz, digest text, words text);
       insert into entries select g, 1 + g % 200, now() - g * interval '1 minute', md5(random()::text) || md5(random()::text) || md5(random()::text),
         'a line of text, number ' || g || ', of somebody who lives here' from generate_series(1, ${thousands * 1000}) g;
       create index on entries (owner, made); create table settings (key text primary key, value jsonb);
       insert into settings select 'setting.' || g, jsonb_build_object('value', g) from generate_series(1, 50) g; analyze`,
    );
  }
}

async function fillMariadb(server: MariadbServer): Promise<void> {
  for (const [name, thousands] of Object.entries(MARIADB)) {
    await server.sql(null, `create database ${name}`);
    await server.sql(
      name,
      `create table pages (id int primary key, owner int, digest varchar(96), words text) engine=InnoDB;
       insert into pages select seq, seq % 200, concat(md5(rand()), md5(rand()), md5(rand())), concat('a line of text, number ', seq)
         from seq_1_to_${thousands * 1000}`,
    );
  }
}

const ldif = (): string =>
  [
    `dn: ${SUFFIX}\nobjectClass: dcObject\nobjectClass: organization\no: home\ndc: home`,
    ...Array.from({ length: ENTRIES }, (_, number) =>
      [
        ...[`dn: cn=user ${number},${SUFFIX}`, 'objectClass: inetOrgPerson', `sn: ${number}`],
        ...[`mail: user${number}@home.lan`, `description: somebody with the number ${number} who lives here`],
      ].join('\n'),
    ),
  ].join('\n\n');

async function fillRedis(server: RedisServer): Promise<void> {
  await server.cli('eval', `for i = 1, ${KEYS} do redis.call('set', 'session:' .. i, redis.sha1hex(i) .. i) end`, '0');
}

interface Servers {
  readonly postgres: PostgresServer;
  readonly mariadb: MariadbServer;
  readonly ldap: { readonly config: string };
  readonly redis: RedisServer;
}

/** One after the other, each with its hash: what stands in most crontabs, without any look at what failed. */
const loop = ({ postgres, mariadb, ldap, redis }: Servers): string => `#!/bin/sh
set -eu
rm -rf loop; mkdir loop; cd loop
for name in ${Object.keys(POSTGRES).join(' ')}; do
  setpriv --reuid=postgres --regid=postgres --init-groups -- pg_dump -h ${postgres.socket} -Fc "$name" >"postgres_$name.dump"
  sha256sum "postgres_$name.dump" >>SHA256SUMS
done
for name in ${Object.keys(MARIADB).join(' ')}; do
  mariadb-dump --no-defaults --socket=${mariadb.socket} --user=root --single-transaction --routines --triggers --events "$name" >"mariadb_$name.sql"
  sha256sum "mariadb_$name.sql" >>SHA256SUMS
done
/usr/sbin/slapcat -F ${ldap.config} -b ${SUFFIX} >ldap.ldif
sha256sum ldap.ldif >>SHA256SUMS
redis-cli -s ${redis.socket} --rdb redis.rdb >/dev/null 2>&1
sha256sum redis.rdb >>SHA256SUMS
`;

const configuration = ({ postgres, mariadb, ldap, redis }: Servers): string => `version: 1
repositories: { disk: { engine: archive, path: disk } }
services:
  databases:
    sources:
      pg: { postgres: { socket: ${postgres.socket}, runAs: postgres, databases: [${Object.keys(POSTGRES)}] } }
      maria: { mariadb: { socket: ${mariadb.socket}, databases: [${Object.keys(MARIADB)}] } }
      ldap: { ldap: { config: ${ldap.config}, suffix: '${SUFFIX}' } }
      redis: { redis: { socket: ${redis.socket} } }
`;

await rm(folder, { recursive: true, force: true });
await mkdir(folder, { recursive: true });
process.env.STATE_DIRECTORY = join(folder, 'state');
await using postgres = await postgresServer();
await using mariadb = await mariadbServer();
await using ldap = await directory(ldif());
await using redis = await redisServer({ 'repl-diskless-sync-delay': '5' });
const servers: Servers = { postgres, mariadb, ldap, redis };
await fillPostgres(postgres);
await fillMariadb(mariadb);
await fillRedis(redis);
await writeFile(join(folder, 'loop.sh'), loop(servers), { mode: 0o755 });
await writeFile(join(folder, 'holdfast.yaml'), configuration(servers));
await measure(`${holdfast} repository init disk`, folder);

const rows: string[] = [];
const settled = (): Promise<void> => measure('sync', folder).then(() => undefined);
const contenders: readonly Contender[] = [
  { name: 'holdfast', line: `${holdfast} backup`, prepare: settled },
  { name: 'sequential loop', line: './loop.sh', prepare: settled },
];
for (const [delay, target] of [
  ['5', '0.55, aim 0.35'],
  ['0', '0.65'],
] as const) {
  await redis.cli('config', 'set', 'repl-diskless-sync-delay', delay);
  await measure(`${holdfast} backup`, folder); // how long each takes is known from then on, as it is every night
  process.stderr.write(`repl-diskless-sync-delay ${delay}\n`);
  const [ours, peer] = await alternate(contenders, rounds, folder);
  if (ours && peer) rows.push(ratioRow(`15 items, repl-diskless-sync-delay ${delay}`, ours, peer, target));
}
const words = [...holdfast.split(' '), 'list', '--json'];
const listed: string = execFileSync(words[0] ?? '', words.slice(1), { encoding: 'utf8', cwd: folder });
const [{ id }] = (JSON.parse(listed) as { points: [{ id: string }] }).points;
const [verified] = await alternate([{ name: 'verify', line: `${holdfast} verify ${id}` }], rounds, folder);
if (verified) rows.push(plainRow('verify of that run', secondsOf(verified), '2 s'));
const size = (path: string): string =>
  execFileSync('du', ['-sh', path], { encoding: 'utf8', cwd: folder }).split('\t')[0] ?? '';
process.stdout.write(
  `| what | holdfast | peer | ratio (spread) | promised |\n|---|---|---|---|---|\n${rows.join('\n')}\n`,
);
process.stdout.write(`the loop's dumps take ${size('loop')}\n`);
await rm(folder, { recursive: true, force: true });
