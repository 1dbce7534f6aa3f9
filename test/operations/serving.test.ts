import { hostname } from 'node:os';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { localHost } from '../../src/adapters/hosts/local/index.ts';
import type { Container } from '../../src/domain/containers.ts';
import { servingOf } from '../../src/operations/serving.ts';
import type { ServerAddress } from '../../src/ports/source.ts';
import { memoryContainers } from '../fakes/containers.ts';
import { type MemoryUnit, memoryUnit, openFrom } from '../fakes/unit.ts';
import { available } from '../services/available.ts';
import { freePort, type RedisServer, redisServer } from '../services/redis.ts';

const never = AbortSignal.timeout(600_000);

describe.runIf(available('redis-server'))('the unit that a server runs as', () => {
  let server: RedisServer;
  beforeAll(async () => {
    server = await redisServer({ port: `${await freePort()}` });
  });
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
  });

  const unitOf = (unit: string, pids: readonly number[], members = { [unit]: true }): MemoryUnit =>
    Object.assign(memoryUnit({ reference: { kind: 'systemd', host: 'local', unit, user: null }, members }), {
      processesNow: pids,
    });
  async function spared(address: ServerAddress, units: readonly MemoryUnit[]): Promise<readonly string[]> {
    const context = {
      unit: openFrom(new Map(units.map((one) => [one.name, one]))),
      containers: async () => memoryContainers(),
    };
    const { members, processes } = await servingOf([address], units, localHost(), context, never);
    expect([...processes]).toEqual(members.size > 0 ? [server.pid] : []);
    return [...members];
  }

  test('is told by its socket, its port, and the names of this machine', async () => {
    const units = [unitOf('app.service', [process.pid]), unitOf('redis.service', [server.pid])];
    const { port } = server;
    const found = ['redis.service'];
    expect(await spared({ sockets: ['/nowhere/else', server.socket] }, units)).toEqual(found);
    expect(await spared({ host: 'localhost', port }, units)).toEqual(found);
    expect(await spared({ host: '127.0.0.1', port }, units)).toEqual(found);
    expect(await spared({ host: hostname(), port }, units)).toEqual(found);
    expect(await spared({ host: '192.0.2.7', port }, units)).toEqual([]); // RFC 5737: nobody's
    expect(await spared({ host: 'localhost', port: await freePort() }, units)).toEqual([]);
    expect(await spared({ sockets: [`${server.socket}2`] }, units)).toEqual([]);
  });

  test('goes on with whatever would take it down, and nothing else does', async () => {
    const instance = unitOf('db@main.service', [server.pid]);
    const group = unitOf('db.service', [], { 'db.service': true, 'db@main.service': true, 'app.service': true });
    const app = unitOf('app.service', [process.pid]);
    const context = {
      unit: openFrom(new Map([instance, group, app].map((one) => [one.name, one]))),
      containers: async () => memoryContainers(),
    };
    const address = { sockets: [server.socket] };
    const { members } = await servingOf([address], [group, app], localHost(), context, never);
    expect([...members].toSorted()).toEqual(['db.service', 'db@main.service']);
  });

  test('is a container that publishes its port, or has its name in a network', async () => {
    const common = { running: true, createdAt: '', labels: {}, mounts: [], own: false };
    const all: Container[] = [
      { ...common, id: 'a', name: 'app', reached: { names: ['app', '172.18.0.2'], ports: [8080] } },
      { ...common, id: 'b', name: 'wiki-db-1', reached: { names: ['wiki-db-1', 'db', '172.18.0.3'], ports: [15432] } },
    ];
    const reference = { kind: 'compose', host: 'local', file: '/opt/wiki/compose.yaml' } as const;
    const project = memoryUnit({ reference, members: { app: true, 'wiki-db-1': true } });
    const one = (container: string): MemoryUnit =>
      memoryUnit({ reference: { kind: 'container', host: 'local', container } });
    const context = {
      unit: openFrom(new Map([one('app'), one('wiki-db-1')].map((unit) => [unit.name, unit]))),
      containers: async () => memoryContainers(all),
    };
    const found = async (address: ServerAddress): Promise<readonly string[]> => [
      ...(await servingOf([address], [project], localHost(), context, never)).members,
    ];
    expect(await found({ host: 'localhost', port: 15432 })).toEqual(['wiki-db-1']);
    expect(await found({ host: 'db', port: 5432 })).toEqual(['wiki-db-1']);
    expect(await found({ host: '172.18.0.3', port: 5432 })).toEqual(['wiki-db-1']);
    expect(await found({ host: '192.0.2.7', port: 15432 })).toEqual([]);
    expect(await found({ container: 'wiki-db-1' })).toEqual(['wiki-db-1']);
  });
});
