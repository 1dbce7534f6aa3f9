import { expect, test } from 'vitest';
import { groupsOf, type SeenContainer, volumesOf, wantsStop } from '../../src/domain/found-container.ts';
import { knownDatabase } from '../../src/domain/known-databases.ts';
import { suffixesIn, waysOf } from '../../src/domain/known-servers.ts';
import { networkSockets, unixSockets } from '../../src/domain/listening.ts';

const container = (image: string, environment: Readonly<Record<string, string>> = {}): SeenContainer => ({
  ...{ id: 'i', name: 'db', image, labels: {}, mounts: [], ports: new Map() },
  environment: new Map(Object.entries(environment)),
});
const waysIn = (image: string, environment: Readonly<Record<string, string>> = {}) =>
  knownDatabase(container(image, environment), 'docker', [])?.ways;

test('an image is known by its name, wherever it came from and whatever its version', () => {
  const kindOf = (image: string) => knownDatabase(container(image), 'docker', [])?.kind;
  for (const image of ['postgres', 'docker.io/library/postgres:16-alpine', 'localhost:5000/team/postgres@sha256:ab'])
    expect(kindOf(image)).toBe('postgres');
  expect(kindOf('bitnami/postgresql:15')).toBe('postgres');
  expect(kindOf('tensorchord/pgvecto-rs:pg14-v0.2.0')).toBe('postgres');
  expect(kindOf('lscr.io/linuxserver/mariadb')).toBe('mariadb');
  expect(kindOf('mysql:8')).toBe('mariadb');
  expect(kindOf('valkey/valkey:8')).toBe('redis');
  expect(kindOf('osixia/openldap:1.5.0')).toBe('ldap');
  for (const image of ['postgres-exporter', 'phpmyadmin', 'busybox']) expect(kindOf(image)).toBeUndefined();
});

test('a password is named by where it stands in the container, and never copied', () => {
  const exec = (...words: readonly string[]) => ({ command: ['docker', 'exec', 'db', ...words] });
  expect(waysIn('mariadb', { MARIADB_ROOT_PASSWORD: 's3cret' })?.[0]).toEqual({
    mariadb: { container: 'db', databases: 'all', password: exec('printenv', 'MARIADB_ROOT_PASSWORD') },
  });
  expect(waysIn('mysql', { MYSQL_ROOT_PASSWORD_FILE: '/run/secrets/root' })?.[0]).toEqual({
    mariadb: { container: 'db', databases: 'all', password: exec('cat', '/run/secrets/root') },
  });
  const own = { MARIADB_USER: 'wiki', MARIADB_DATABASE: 'pages', MARIADB_PASSWORD: 's3cret' };
  expect(waysIn('mariadb', own)?.[0]).toEqual({
    mariadb: { container: 'db', database: 'pages', user: 'wiki', password: exec('printenv', 'MARIADB_PASSWORD') },
  });
  const all = { ...own, POSTGRES_PASSWORD: 's3cret', REDIS_PASSWORD: 's3cret', COUCHDB_PASSWORD: 's3cret' };
  for (const image of ['postgres', 'mariadb', 'redis', 'couchdb'])
    expect(JSON.stringify(waysIn(image, all))).not.toContain('s3cret');
});

test('a directory has the suffix that it answers with, else the one that its image was given', () => {
  const domain = { LDAP_DOMAIN: 'home.lan' };
  expect(waysIn('osixia/openldap', domain)).toEqual([{ ldap: { container: 'db', suffix: 'dc=home,dc=lan' } }]);
  const asked = knownDatabase(
    container('openldap', domain),
    'docker',
    suffixesIn('olcSuffix: o=us\nolcSuffix: cn=Monitor\n'),
  );
  expect(asked?.ways).toEqual([{ ldap: { container: 'db', suffix: 'o=us' } }]);
});

test('a CouchDB is asked at its published port, else from inside, and never at a port that may be of another', () => {
  const settings = { user: 'admin', databases: 'all' };
  expect(waysIn('couchdb')).toEqual([{ couchdb: { container: 'db', ...settings } }]);
  const published = { ...container('couchdb'), ports: new Map([['5984/tcp', 6000]]) };
  expect(knownDatabase(published, 'docker', [])?.ways).toEqual([
    { couchdb: { url: 'http://127.0.0.1:6000', ...settings } },
    { couchdb: { container: 'db', ...settings } },
  ]);
});

test('containers of one project are one service, with the files as Compose 1 and 2 name them', () => {
  const labels = (more: Readonly<Record<string, string>>) => ({
    'com.docker.compose.project': 'wiki',
    'com.docker.compose.project.working_dir': '/srv/wiki',
    'com.docker.compose.project.config_files': 'compose.yaml,/etc/more.yaml',
    ...more,
  });
  const mount = { type: 'volume', source: '', target: '/data', writable: true };
  const named = {
    ...container('app'),
    mounts: [
      { ...mount, name: 'wiki_data' },
      { ...mount, name: 'a'.repeat(64) },
    ],
  };
  const web = { ...named, labels: labels({ 'docker-volume-backup.stop-during-backup': 'true' }) };
  const job = { ...container('app'), labels: labels({ 'com.docker.compose.oneoff': 'True' }) };
  const lone = container('other');
  expect(groupsOf([job, web, lone])).toEqual([
    { name: 'wiki', containers: [web], folder: '/srv/wiki', files: ['/srv/wiki/compose.yaml', '/etc/more.yaml'] },
    { name: 'db', containers: [lone], folder: null, files: [] },
  ]);
  expect(volumesOf([web, web])).toEqual(['wiki_data']);
  expect([wantsStop(web), wantsStop(job)]).toEqual([true, false]);
});

test('what listens is found in the tables of the kernel, and what only talks is not', () => {
  const unix = `Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 71001 /run/post gresql/.s.PGSQL.5432
0000000000000000: 00000003 00000000 00000000 0001 03 71002 /run/postgresql/.s.PGSQL.5432
0000000000000000: 00000002 00000000 00010000 0001 01 71003 @abstract
`;
  expect(unixSockets(unix)).toEqual([{ inode: '71001', path: '/run/post gresql/.s.PGSQL.5432', address: '', port: 0 }]);
  const row = (local: string, state: string): string =>
    `   0: ${local} 00000000:0000 ${state} 00000000:00000000 00:00000000 00000000   109        0 81001 1 0 100 0 0 10 0`;
  const addresses = (table: string) => networkSockets(table).map(({ address, port }) => `${address} ${port}`);
  expect(addresses([row('0100007F:1538', '0A'), row('0100007F:1538', '01')].join('\n'))).toEqual(['127.0.0.1 5432']);
  expect(addresses(row('00000000:0CEA', '0A'))).toEqual(['127.0.0.1 3306']);
  expect(addresses(row('0500A8C0:0CEA', '0A'))).toEqual([]);
  expect(addresses(row(`${'0'.repeat(24)}01000000:18EB`, '0A'))).toEqual(['::1 6379']);
  expect(addresses(row(`${'0'.repeat(32)}:18EB`, '0A'))).toEqual(['127.0.0.1 6379']);
});

test('a server is reached by its socket before the network, and under its own account before none', () => {
  const socket = { inode: '1', address: '', port: 0 };
  const server = { words: [], unit: null, account: 'postgres' };
  const sockets = [
    { ...socket, path: '/run/postgresql/.s.PGSQL.5433' },
    { ...socket, path: null, address: '::1', port: 5433 },
  ];
  expect(waysOf({ ...server, kind: 'postgres', sockets }, [])).toEqual([
    { postgres: { socket: '/run/postgresql', port: 5433, runAs: 'postgres', databases: 'all', globals: true } },
    { postgres: { socket: '/run/postgresql', port: 5433, databases: 'all', globals: true } },
    { postgres: { host: '::1', port: 5433, databases: 'all', globals: true } },
  ]);
  const slapd = { ...server, account: 'openldap', kind: 'ldap', sockets: [] } as const;
  const ldap = { config: '/etc/ldap/slapd.d', suffix: 'o=us' };
  expect(waysOf({ ...slapd, words: ['slapd', '-F', '/etc/ldap/slapd.d'] }, ['o=us'])).toEqual([
    { ldap: { ...ldap, runAs: 'openldap' } },
    { ldap },
  ]);
  expect(waysOf(slapd, [])).toEqual([]);
});
