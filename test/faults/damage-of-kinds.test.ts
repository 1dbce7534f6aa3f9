import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { noise } from '../contracts/captured-items.ts';
import { aMachine, type Json, tool } from '../e2e/holdfast.ts';
import { alterManifest } from '../e2e/rehashed.ts';
import { available } from '../services/available.ts';
import { couchdbAvailable, couchdbServer } from '../services/couchdb.ts';
import { directory, SUFFIX } from '../services/ldap.ts';
import { mariadbAvailable, mariadbServer } from '../services/mariadb.ts';
import { postgresAvailable, postgresServer } from '../services/postgres.ts';
import { redisServer } from '../services/redis.ts';
import { TOP } from '../sources/ldap-contents.ts';

/** An item of each kind, and a byte of it that no hash is needed for: one of its structure, not of a text in it. */
const STRUCTURE: Readonly<Record<string, (plain: Buffer) => number>> = {
  files_tree: () => 100, // the mode in the header of a member
  sqlite_notes: () => 4096, // the type of the second page
  postgres_wiki: (plain) => plain.indexOf('\n', plain.length >> 1), // the end of a row
  postgres_globals: (plain) => plain.indexOf('CREATE ROLE'),
  mariadb_wiki: (plain) => plain.indexOf("'),\n(", plain.length >> 1),
  ldap: (plain) => plain.indexOf('objectClass'),
  ldap_config: (plain) => plain.indexOf('objectClass'),
  redis: (plain) => plain.length >> 1,
  couchdb_wiki: (plain) => plain.length >> 1,
};
const ITEMS = Object.keys(STRUCTURE);

const halved = (bytes: Buffer): Buffer => bytes.subarray(0, bytes.length >> 1);
const flippedAt = (bytes: Buffer, place: number): Buffer => {
  expect(place).toBeGreaterThanOrEqual(0);
  const damaged = Buffer.from(bytes);
  damaged[place] = (damaged[place] ?? 0) ^ 0x10;
  return damaged;
};

/** What becomes of the stored file, its hash being what it was; null takes the file away. */
const STORED: Readonly<Record<string, (bytes: Buffer) => Buffer | null>> = {
  truncated: halved,
  flipped: (bytes) => flippedAt(bytes, bytes.length >> 1),
  emptied: () => Buffer.alloc(0),
  deleted: () => null,
};
/** What becomes of the content, which is packed again, and all hashes are written anew. */
const REHASHED: Readonly<Record<string, (plain: Buffer, item: string) => Buffer>> = {
  truncated: halved,
  flipped: (plain, item) => flippedAt(plain, STRUCTURE[item]?.(plain) ?? -1),
  emptied: () => Buffer.alloc(0),
};

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');
const packed = (file: string): boolean => file.endsWith('.zst');
const zstd = (bytes: Buffer, ...args: readonly string[]): Buffer =>
  execFileSync('zstd', [...args, '-cq'], { input: bytes, maxBuffer: 2 ** 28 });

/** Puts other bytes in the place of a file, whose old ones may have names in other points too. */
function replace(path: string, bytes: Buffer): void {
  writeFileSync(`${path}.other`, bytes);
  renameSync(`${path}.other`, path);
}

function damageStored(folder: string, damage: (bytes: Buffer) => Buffer | null): void {
  const { items } = JSON.parse(readFileSync(join(folder, 'backup-manifest.json'), 'utf8')) as Json;
  for (const { file } of items) {
    const bytes = damage(readFileSync(join(folder, file)));
    if (bytes === null) rmSync(join(folder, file));
    else replace(join(folder, file), bytes);
  }
}

function damageAndRehash(folder: string, damage: (plain: Buffer, item: string) => Buffer): void {
  alterManifest(folder, (manifest) => {
    for (const item of manifest.items) {
      const path = join(folder, item.file);
      const stored = readFileSync(path);
      const plain = damage(packed(item.file) ? zstd(stored, '-d') : stored, item.name);
      const bytes = packed(item.file) ? zstd(plain) : plain;
      replace(path, bytes);
      Object.assign(item, { size: bytes.length, sha256: sha256(bytes) });
      if (item.originalSize !== null)
        Object.assign(item, { originalSize: plain.length, originalSha256: sha256(plain) });
    }
    manifest.totalSize = manifest.items.reduce((sum: number, { size }: Json) => sum + size, 0);
  });
  const sums = readFileSync(join(folder, 'SHA256SUMS'), 'utf8');
  const anew = sums.replaceAll(/^[0-9a-f]{64}( [ *])(.+)$/gm, (_, between: string, file: string) =>
    [sha256(readFileSync(join(folder, file))), between, file].join(''),
  );
  writeFileSync(join(folder, 'SHA256SUMS'), anew);
  execFileSync('sha256sum', ['--check', '--strict', '--quiet', 'SHA256SUMS'], { cwd: folder });
}

/** The outcomes of an item's checks, by what each looked at. */
const outcomesOf = ({ checks }: Json, item: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    checks.flatMap(({ name, outcome }: Json) =>
      name.startsWith(`${item}: `) ? [[name.slice(item.length + 2), outcome]] : [],
    ),
  );

/** Another point of the same content, which a later second made. */
function copyOf(point: string, second: number): { readonly id: string; readonly folder: string } {
  const name = point.replace(/\d\d$/, (end) => `${(Number(end) + second) % 60}`.padStart(2, '0'));
  cpSync(point, name, { recursive: true });
  let id = '';
  alterManifest(name, (manifest) => {
    const timestamp = manifest.timestamp.replace(/\d\d(?=(\.\d+)?Z)/, name.slice(-2));
    id = `${manifest.id.slice(0, -2)}${second}${manifest.id.endsWith('A') ? 'B' : 'A'}`;
    Object.assign(manifest, { id, timestamp });
  });
  return { id, folder: name };
}

const programs = ['sqlite3', 'zstd', 'sha256sum', 'slapcat', 'slapadd', 'redis-server', 'redis-cli', 'redis-check-rdb'];
const all = programs.every(available) && postgresAvailable() && mariadbAvailable() && couchdbAvailable();
describe.runIf(all)('needs every database', () => {
  test('every damage of an item of every kind is found out, also where all hashes were written anew', async () => {
    await using postgres = await postgresServer();
    await using mariadb = await mariadbServer();
    await using ldap = await directory(TOP);
    await using redis = await redisServer();
    await using couchdb = await couchdbServer();
    const machine = aMachine();
    machine.write('tree/soup.txt', noise(100_000));
    const rows = 'with recursive row(n) as (select 1 union all select n + 1 from row where n < 2000)';
    const notes = machine.path('notes.db');
    tool('sqlite3', notes, `create table notes (text); ${rows} insert into notes select 'note ' || n from row`);
    await postgres.sql('postgres', 'create database wiki');
    await postgres.sql('wiki', 'create table t as select g, md5(g::text) from generate_series(1, 2000) g');
    await mariadb.sql(null, 'create database wiki');
    await mariadb.sql('wiki', 'create table t (x int, y text); insert into t select seq, md5(seq) from seq_1_to_2000');
    for (let number = 0; number < 50; number += 1) await redis.cli('set', `key-${number}`, 'v'.repeat(50));
    await couchdb.ask('PUT', '/wiki');
    const docs = Array.from({ length: 200 }, (_, at) => ({ _id: `n${at}`, text: `note ${at}` }));
    await couchdb.ask('POST', '/wiki/_bulk_docs', { docs });
    const sources = {
      tree: { files: ['./tree'] },
      notes: { sqlite: './notes.db' },
      pg: { postgres: { socket: postgres.socket, runAs: 'postgres', database: 'wiki', globals: true } },
      maria: { mariadb: { socket: mariadb.socket, database: 'wiki' } },
      directory: { ldap: { config: ldap.config, suffix: SUFFIX } },
      cache: { redis: { socket: redis.socket } },
      vault: { couchdb: { url: couchdb.url, database: 'wiki' } },
    };
    machine.configure(`repositories: { disk: { engine: archive, path: ./disk } }
services: { all: { sources: ${JSON.stringify(sources)} } }`);
    machine.passes('repository', 'init', 'disk');

    const points = new Map<string, { readonly what: string; readonly rehashed: boolean }>();
    const [whole] = machine.json(0, 'backup').points;
    const point = machine.path('disk', whole.location);
    let second = 0;
    for (const [what, damage] of Object.entries(STORED)) {
      const { id, folder } = copyOf(point, ++second);
      damageStored(folder, damage);
      points.set(id, { what, rehashed: false });
    }
    for (const [what, damage] of Object.entries(REHASHED)) {
      const { id, folder } = copyOf(point, ++second);
      damageAndRehash(folder, damage);
      points.set(id, { what, rehashed: true });
    }
    const verdicts = machine.json(1, 'verify').points as readonly Json[];
    const wrong: string[] = [];
    let cells = 0;
    for (const verdict of verdicts) {
      if (verdict.point === whole.id) {
        expect(verdict.outcome).toBe('passed');
        continue;
      }
      const { what, rehashed } = points.get(verdict.point) ?? { what: 'unknown', rehashed: false };
      for (const item of ITEMS) {
        const { size = 'none', hash = 'none', ...structure } = outcomesOf(verdict, item);
        const caught = Object.values(rehashed ? structure : { size, hash }).includes('failed');
        const looked = { size, hash, ...structure };
        if (!caught || (rehashed && hash !== 'passed'))
          wrong.push(`${item} ${what}, rehashed ${rehashed}: ${JSON.stringify(looked)}`);
        cells += 1;
      }
    }
    expect(wrong).toEqual([]);
    expect(cells).toBe(ITEMS.length * (Object.keys(STORED).length + Object.keys(REHASHED).length));
  }, 180_000);
});
