import { execFile } from 'node:child_process';
import { readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { localHost } from '../src/adapters/hosts/local/index.ts';
import type { RedisSettings } from '../src/adapters/sources/redis/config.ts';
import { format, source as openSource } from '../src/adapters/sources/redis/index.ts';
import { scanRdb } from '../src/adapters/sources/redis/rdb-scanner.ts';
import type { Facts } from '../src/domain/facts.ts';
import { Secret } from '../src/domain/secret.ts';
import type { Command, Host } from '../src/ports/host.ts';
import type { Source, SourceTools } from '../src/ports/source.ts';
import { type SourceFixture, sourceContract } from './contracts/source.ts';
import { available } from './services/available.ts';
import { freePort, redisOf, redisServer } from './services/redis.ts';
import { contentsOf, fill, HOSTILE, HOSTILE_TYPES } from './sources/redis-contents.ts';
import { bytesOf, changing, contextIn, cutShort, temporaryFolder, told, writeBytes } from './sources/support.ts';

const execute = promisify(execFile);
const never = (): AbortSignal => new AbortController().signal;
const PASSWORD = 'pa"ss w\'örd\\ 4711-secret';
const toolsWith = (password: string): SourceTools => ({
  secret: async () => new Secret(password),
  container: () => Promise.reject(new Error('no container is configured')),
  engineEnvironment: {},
});
const withPassword = { env: 'REDIS_PASSWORD' } as const;

const open = (settings: RedisSettings['redis'], host: Host = localHost(), password = PASSWORD): Source =>
  openSource('cache', { redis: settings }, host, toolsWith(password));

/** redis-cli gives its bytes to a script, which does something else with them. */
const dumping = (script: string): Host =>
  changing(localHost(), (command: Command) =>
    command.args.includes('--rdb')
      ? { ...command, program: 'bash', args: ['-c', script, 'redis-cli', ...command.args] }
      : command,
  );

/** The only item of a source, stored as a file. */
async function stored(source: Source, folder: string): Promise<{ path: string; facts: Facts }> {
  await using capture = await source.capture(contextIn(folder), never());
  const [item] = capture.items;
  if (item === undefined) throw new Error('no item');
  const path = join(folder, 'redis.rdb');
  await writeBytes(bytesOf(item, never()), path);
  return { path, facts: item.completed().facts };
}

async function* once(bytes: Uint8Array) {
  yield bytes;
}

const problems = async (bytes: Uint8Array, facts: Facts, folder: string): Promise<readonly string[]> =>
  (await format.inspect(once(bytes), facts, folder, never()))
    .filter(({ outcome }) => outcome !== 'passed')
    .map(({ name, outcome, detail }) => `${name} ${outcome}: ${detail}`);

/** What Redis' own checker counts. */
async function checked(path: string): Promise<number> {
  const said = await told('redis-check-rdb', path);
  expect(said).toContain('RDB looks OK');
  return Number(/(\d+) keys read/.exec(said)?.[1]);
}

const programs = ['redis-server', 'redis-cli', 'redis-check-rdb', 'setpriv'];
describe.runIf(programs.every(available))('needs Redis', () => {
  async function fixture(): Promise<SourceFixture> {
    const server = await redisServer();
    await fill(server, [
      ...Array.from({ length: 200 }, (_, count) => `set key-${count} ${'v'.repeat(20)}`),
      'hset h f v',
    ]);
    return {
      source: open({ socket: server.socket }),
      failing: open({ socket: server.socket }, dumping('redis-cli "$@"; exit 3')),
      format,
      look: () => contentsOf(server),
      counted: async () => ({ keys: Number(await server.cli('dbsize')), keyTypes: { hash: 1, string: 200 } }),
      destroy: () => server.kill(),
      unpack: async (path) => path,
      [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
    };
  }
  sourceContract('redis', fixture);

  test('hostile contents come back key by key in a server that loads the dump, and every key is counted', async () => {
    await using folder = await temporaryFolder();
    await using server = await redisServer();
    await fill(server, HOSTILE);
    const { path, facts } = await stored(open({ socket: server.socket }), folder.path);
    expect(facts).toEqual({ keys: 23, keyTypes: HOSTILE_TYPES });
    expect(await checked(path)).toBe(23);
    expect(await problems(await readFile(path), facts, folder.path)).toEqual([]);
    await using restored = await redisOf(path);
    const before = await contentsOf(server);
    expect(before).toHaveLength(24);
    expect(await contentsOf(restored)).toEqual(before);
  });

  test.each([
    ['whose length is known', { 'repl-diskless-sync': 'no' }],
    ['without a checksum', { rdbchecksum: 'no' }],
    ['of known length and without a checksum', { rdbchecksum: 'no', 'repl-diskless-sync': 'no' }],
    ['not packed', { rdbcompression: 'no' }],
    ['of a server that evicts', { 'maxmemory-policy': 'allkeys-lfu', maxmemory: '1gb' }],
    ['with times of last use', { 'maxmemory-policy': 'allkeys-lru', maxmemory: '1gb' }],
  ])('a dump %s ends where its data end', async (_, settings) => {
    await using folder = await temporaryFolder();
    await using server = await redisServer(settings);
    await fill(server, HOSTILE);
    const { path, facts } = await stored(open({ socket: server.socket }), folder.path);
    expect(facts).toEqual({ keys: 23, keyTypes: HOSTILE_TYPES });
    const said = await told('redis-check-rdb', path);
    const size = Number(await told('stat', '-c', '%s', path));
    expect(said).toContain(`[offset ${size}] \\o/ RDB looks OK`);
    expect(await problems(await readFile(path), facts, folder.path)).toEqual([]);
  });

  test('an empty server is a dump without keys, and no failure', async () => {
    await using folder = await temporaryFolder();
    await using server = await redisServer();
    const { path, facts } = await stored(open({ socket: server.socket }), folder.path);
    expect(facts).toEqual({ keys: 0, keyTypes: {} });
    expect(await checked(path)).toBe(0);
    expect(await problems(await readFile(path), facts, folder.path)).toEqual([]);
    expect(await problems(Buffer.alloc(0), facts, folder.path)).not.toEqual([]);
  });

  test('keys whose time is over count as long as the dump has them', async () => {
    await using folder = await temporaryFolder();
    await using server = await redisServer({ 'enable-debug-command': 'yes' });
    await server.cli('debug', 'set-active-expire', '0');
    await fill(server, ['set stays 1', 'set gone 1 px 1', 'hset over f v', 'pexpire over 1']);
    const { path, facts } = await stored(open({ socket: server.socket }), folder.path);
    expect(facts).toEqual({ keys: 3, keyTypes: { hash: 1, string: 2 } });
    expect(await checked(path)).toBe(3);
    expect(await problems(await readFile(path), facts, folder.path)).toEqual([]);
  });

  test('a server over the network and behind a password is dumped, and no argument holds the password', async () => {
    await using folder = await temporaryFolder();
    const port = await freePort();
    await using server = await redisServer({ port: `${port}` }, PASSWORD);
    await server.cli('set', 'a', '1');
    const seen: Command[] = [];
    const watched = changing(localHost(), (command) => {
      seen.push(command);
      return command;
    });
    const settings = { host: '127.0.0.1', port, user: 'default', password: withPassword };
    const { facts } = await stored(open(settings, watched), folder.path);
    expect(facts).toEqual({ keys: 1, keyTypes: { string: 1 } });
    expect(seen.length).toBeGreaterThan(1);
    expect(seen.flatMap(({ args }) => args).join('\n')).not.toContain('4711');
    for (const { environment } of seen) expect(JSON.stringify(environment)).not.toContain('4711');
  });

  test('whoever is not let in is told which setting to look at', async () => {
    await using folder = await temporaryFolder();
    await using server = await redisServer({}, PASSWORD);
    await server.cli('acl', 'setuser', 'reader', 'on', '>reading', '~*', '+@read', '+info');
    await server.cli('acl', 'setuser', 'blind', 'on', '>reading', '~*', '+@read');
    const { socket } = server;
    const refused = async (settings: RedisSettings['redis'], password = PASSWORD): Promise<unknown> => {
      const error = await stored(open(settings, localHost(), password), folder.path).catch((reason: unknown) => reason);
      expect(JSON.stringify(error) + String(error)).not.toContain('4711');
      return error;
    };
    const wrong = { code: 'SourceFailed', hint: 'Look at `user` and `password` of the source' };
    expect(await refused({ socket })).toMatchObject(wrong);
    expect(await refused({ socket, password: withPassword }, 'other')).toMatchObject(wrong);
    expect(await refused({ socket, user: 'nobody', password: withPassword })).toMatchObject(wrong);
    for (const user of ['reader', 'blind']) {
      const closed = await refused({ socket, user, password: withPassword }, 'reading');
      expect(closed).toMatchObject({ code: 'SourceFailed', hint: expect.stringContaining('+sync') });
    }
  });

  test('what a restore in place exchanges is told by the server, and never guessed', async () => {
    await using server = await redisServer({ save: '3600|1' });
    const { socket, folder } = server;
    const placed = (settings: RedisSettings['redis']): Promise<unknown> => open(settings).placements([], never());
    const real = await realpath(folder);
    expect(await placed({ socket })).toMatchObject([{ path: join(real, 'dump.rdb'), companions: [], exclusive: true }]);
    await server.cli('config', 'set', 'appendonly', 'yes');
    const companions = ['dump.rdb', 'appendonlydir'].map((name) => join(real, name));
    expect(await placed({ socket })).toMatchObject([{ path: join(real, 'appendonly.aof'), companions }]);
    await server.cli('replicaof', '127.0.0.1', '1');
    const replica = { code: 'Refused', message: expect.stringContaining('replica of 127.0.0.1:1') };
    await expect(placed({ socket })).rejects.toMatchObject(replica);
    await server.kill();
    const rdb = join(folder, 'dump.rdb');
    await expect(placed({ socket })).rejects.toMatchObject({
      code: 'SourceMissing',
      hint: expect.stringContaining('rdb'),
    });
    await expect(placed({ socket, rdb })).rejects.toMatchObject({ code: 'Refused' });
    await rm(join(folder, 'appendonlydir'), { recursive: true });
    expect(await placed({ socket, rdb })).toMatchObject([{ path: join(real, 'dump.rdb') }]);
  });

  test('a server that is away and a missing program are named', async () => {
    await using folder = await temporaryFolder();
    const away = stored(open({ socket: join(folder.path, 'nowhere.sock') }), folder.path);
    await expect(away).rejects.toMatchObject({ code: 'SourceMissing', hint: expect.stringContaining('`socket`') });
    const without = changing(localHost(), (command) => ({ ...command, program: 'redis-cli-not-here' }));
    const missing = { ...without, version: () => localHost().version('redis-cli-not-here', never()) };
    await expect(stored(open({}, missing), folder.path)).rejects.toMatchObject({ code: 'ToolMissing' });
  });

  test('a server that is killed while it sends is a failure, however much came', async () => {
    await using folder = await temporaryFolder();
    await using server = await redisServer({ 'enable-debug-command': 'yes', rdbcompression: 'no' });
    await server.cli('debug', 'populate', '30000', 'key', '1000');
    await using capture = await open({ socket: server.socket }).capture(contextIn(folder.path), never());
    const [item] = capture.items;
    if (item === undefined) throw new Error('no item');
    expect(await cutShort(item, never(), () => server.kill())).toBeLessThan(30_000_000);
  });

  test.each([
    ['cut short', 'redis-cli "$@" | head -c 3000; exit 0'],
    ['cut in its mark', 'redis-cli "$@" | head -c -5; exit 0'],
    ['changed on its way', `redis-cli "$@" | sed 's/element-7-/element-8-/'; exit 0`],
    ['empty', 'exit 0'],
  ])('a dump that is %s is a failure, although redis-cli ends with 0', async (_, script) => {
    await using folder = await temporaryFolder();
    await using server = await redisServer({ rdbcompression: 'no' });
    await fill(server, HOSTILE);
    await expect(stored(open({ socket: server.socket }, dumping(script)), folder.path)).rejects.toMatchObject({
      code: 'SourceFailed',
      message: expect.stringContaining('no whole RDB'),
    });
  });

  test('a dump that was cut, flipped, emptied or lengthened is found out, wherever it is', async () => {
    await using folder = await temporaryFolder();
    await using server = await redisServer();
    await fill(server, HOSTILE);
    const { path, facts } = await stored(open({ socket: server.socket }), folder.path);
    const whole = await readFile(path);
    expect(await problems(whole, facts, folder.path)).toEqual([]);
    const places = Array.from({ length: 60 }, (_, place) => Math.floor((whole.length * place) / 60));
    for (const place of [...places, whole.length - 1, whole.length - 9]) {
      const flipped = Buffer.from(whole);
      flipped[place] = (flipped[place] ?? 0) ^ 0x10;
      expect(await problems(flipped, facts, folder.path), `flipped at ${place}`).not.toEqual([]);
      expect(await problems(whole.subarray(0, place), facts, folder.path), `cut at ${place}`).not.toEqual([]);
    }
    expect(await problems(Buffer.concat([whole, Buffer.alloc(1)]), facts, folder.path)).not.toEqual([]);
    expect(await problems(Buffer.concat([whole, whole]), facts, folder.path)).not.toEqual([]);
    expect(await problems(whole, { keys: 23, keyTypes: { ...HOSTILE_TYPES, hash: 3, set: 2 } }, folder.path)).toEqual([
      'facts failed: keys hash: 3 expected, 2 found; keys set: 2 expected, 3 found',
    ]);
  });

  test('the structure is read alike in chunks of any size', async () => {
    await using folder = await temporaryFolder();
    await using server = await redisServer();
    await fill(server, HOSTILE);
    const { path, facts } = await stored(open({ socket: server.socket }), folder.path);
    const whole = await readFile(path);
    for (const size of [1, 2, 3, 7, 64, 1000, whole.length]) {
      const scan = scanRdb();
      for (let at = 0; at < whole.length; at += size) scan.take(whole.subarray(at, at + size));
      expect(scan.end()).toEqual({ facts });
    }
  });

  test('an RDB of a later Redis is kept and not counted, and nobody says that it is well', async () => {
    await using folder = await temporaryFolder();
    const later = Buffer.from('REDIS0099\xfe\x00\x63\x03key\x05value\xff\0\0\0\0\0\0\0\0', 'latin1');
    const made = join(folder.path, 'later');
    await writeFile(made, later);
    await using server = await redisServer();
    const host = dumping(`cat -- '${made}'`);
    await using capture = await open({ socket: server.socket }, host).capture(contextIn(folder.path), never());
    const [item] = capture.items;
    if (item === undefined) throw new Error('no item');
    await writeBytes(bytesOf(item, never()), join(folder.path, 'stored'));
    expect(item.completed()).toMatchObject({ facts: {}, warnings: [expect.stringContaining('type 99')] });
    expect(await readFile(join(folder.path, 'stored'))).toEqual(later);
    const said = await problems(later, {}, folder.path);
    expect(said).toEqual([expect.stringMatching(/^redis-check-rdb/), expect.stringMatching(/^facts inconclusive/)]);
  });

  test.runIf(process.geteuid?.() === 0)('a full disk tells nothing of the dump that is inspected', async () => {
    await using folder = await temporaryFolder();
    await using server = await redisServer();
    await fill(server, HOSTILE);
    const { path, facts } = await stored(open({ socket: server.socket }), folder.path);
    const small = join(folder.path, 'small');
    await execute('mkdir', [small]);
    await execute('mount', ['-t', 'tmpfs', '-o', 'size=8k', 'none', small]);
    try {
      await expect(problems(await readFile(path), facts, small)).rejects.toMatchObject({ code: 'NoSpace' });
    } finally {
      await execute('umount', [small]);
    }
  });
});
