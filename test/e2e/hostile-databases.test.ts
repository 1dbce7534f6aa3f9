import { readdirSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { available } from '../services/available.ts';
import { couchdbAvailable, couchdbServer } from '../services/couchdb.ts';
import { redisOf, redisServer } from '../services/redis.ts';
import { contentsOf as couchContents, fillHostile } from '../sources/couchdb-contents.ts';
import { fill, HOSTILE } from '../sources/redis-contents.ts';
import { aMachine, type Machine } from './holdfast.ts';

function machineWith(source: object): Machine {
  const machine = aMachine();
  machine.configure(`repositories: { disk: { engine: archive, path: ./disk } }
services: { odd: { sources: { db: ${JSON.stringify(source)} } } }`);
  machine.passes('repository', 'init', 'disk');
  machine.passes('backup');
  machine.passes('verify', 'odd');
  return machine;
}

describe.runIf(couchdbAvailable())('databases of CouchDB whose names have every sign that is allowed', () => {
  test('come back under other such names, revision by revision', async () => {
    await using server = await couchdbServer();
    const names = ['a/b+c', 'x_$()+-/y', `z${'/long'.repeat(20)}`];
    for (const name of names) await fillHostile(server, name);
    const machine = machineWith({ couchdb: { url: server.url } });
    const [{ id, items }] = machine.json(0, 'list').points;
    expect(items).toEqual(
      names.map((name) => `couchdb_${encodeURIComponent(name).replaceAll('(', '%28').replaceAll(')', '%29')}`),
    );
    for (const [at, item] of items.entries()) {
      const name = names[at] ?? '';
      machine.passes('restore', id, '--item', item, '--database', `${name}/again+`);
      expect(await couchContents(server, `${name}/again+`)).toEqual(await couchContents(server, name));
    }
    await mkdir(machine.path('out'));
    machine.passes('restore', id, '--to', 'out');
    expect(readdirSync(machine.path('out'))).toHaveLength(names.length);
  }, 60_000);
});

describe.runIf(['redis-server', 'redis-cli', 'redis-check-rdb'].every(available))(
  'a Redis with keys of any bytes',
  () => {
    test('has the same digest in a server of its own that loads the restored file', async () => {
      const settings = { 'enable-debug-command': 'local' };
      await using server = await redisServer(settings);
      await fill(server, [...HOSTILE, String.raw`set "line\nfeed\r\n\x00null \xf0\x9f\x8d\xb2 'quoted'\"" "\n"`]);
      const before = await server.cli('debug', 'digest');
      expect(before).toMatch(/^(?!0{40})[0-9a-f]{40}$/);
      const machine = machineWith({ redis: { socket: server.socket } });
      machine.passes('restore', 'odd', '--to', 'out');
      await using loaded = await redisOf(machine.path('out/redis.rdb'), settings);
      expect(await loaded.cli('debug', 'digest')).toBe(before);
    }, 60_000);
  },
);
