import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const execute = promisify(execFile);
const START_LIMIT_MS = 30_000;

/** A Redis server of its own on a socket of a temporary folder, which ends with its data. */
export interface RedisServer extends AsyncDisposable {
  readonly socket: string;
  /** Its working folder: `dump.rdb` and nothing else. */
  readonly folder: string;
  readonly pid: number;
  /** Where it listens on loopback, when it was asked to. */
  readonly port: number;
  /** What redis-cli prints, without the newline at its end; an answer that is an error rejects. */
  cli(...args: readonly string[]): Promise<string>;
  /** Ends it at once, as a crash does. */
  kill(): Promise<void>;
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** Loads an RDB as a replica of nothing, so that no key ends meanwhile. */
export const redisOf = (rdb: string, settings: Readonly<Record<string, string>> = {}): Promise<RedisServer> =>
  redisServer({ replicaof: '127.0.0.1|1', ...settings }, null, rdb);

/** `settings` as in redis.conf, words apart by `|`. It begins empty, or with what an RDB has. */
export async function redisServer(
  settings: Readonly<Record<string, string>> = {},
  password: string | null = null,
  rdb: string | null = null,
): Promise<RedisServer> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-redis-'));
  const socket = join(folder, 'redis.sock');
  if (rdb !== null) await copyFile(rdb, join(folder, 'dump.rdb'));
  const port = settings.port === undefined ? 0 : Number(settings.port);
  const given = {
    port: '0',
    unixsocket: socket,
    dir: folder,
    save: '',
    'repl-diskless-sync-delay': '0',
    ...(password === null ? {} : { requirepass: password }),
    ...settings,
  };
  const words = Object.entries(given).flatMap(([name, value]) => [`--${name}`, ...value.split('|')]);
  // A test process that is killed takes its server along.
  const server = spawn('setpriv', ['--pdeathsig', 'KILL', 'redis-server', ...words], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  server.stdout.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-8000);
  });
  const closed = once(server, 'exit');
  const env = { ...process.env, ...(password === null ? {} : { REDISCLI_AUTH: password }) };
  const cli: RedisServer['cli'] = async (...args) =>
    (
      await execute('redis-cli', ['-e', '--no-auth-warning', '-s', socket, ...args], { env, maxBuffer: 2 ** 28 })
    ).stdout.replace(/\n$/, '');
  const kill = async (): Promise<void> => {
    server.kill('SIGKILL');
    await closed;
  };
  const deadline = performance.now() + START_LIMIT_MS;
  while ((await cli('ping').catch(() => '')) !== 'PONG') {
    if (server.exitCode !== null || performance.now() > deadline) throw new Error(`redis does not answer: ${said}`);
    await sleep(20);
  }
  return {
    socket,
    folder,
    port,
    pid: server.pid ?? 0,
    cli,
    kill,
    async [Symbol.asyncDispose]() {
      await kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
