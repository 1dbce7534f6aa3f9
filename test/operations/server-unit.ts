import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { type MemoryUnit, memoryUnit } from '../fakes/unit.ts';

const execute = promisify(execFile);
const LIMIT_MS = 30_000;

/** A Redis in `FOLDER/redis` as a unit, which outlives the process that started it: its stop is a shutdown as systemd
 *  asks for it. `redis.sock` and `dump.rdb` are in that folder. */
export function redisUnit(folder: string): MemoryUnit & { readonly socket: string } {
  const own = join(folder, 'redis');
  const socket = join(own, 'redis.sock');
  const ask = async (...words: readonly string[]): Promise<string> =>
    (await execute('redis-cli', ['-s', socket, ...words]).catch(() => ({ stdout: '' }))).stdout.trim();
  const runs = async (): Promise<boolean> => (await ask('ping')) === 'PONG';
  const until = async (wanted: boolean): Promise<void> => {
    const deadline = performance.now() + LIMIT_MS;
    while ((await runs()) !== wanted) {
      if (performance.now() > deadline) throw new Error(`Redis does not ${wanted ? 'start' : 'end'}.`);
      await sleep(10);
    }
  };
  const unit = memoryUnit();
  return Object.assign(unit, {
    socket,
    running: async () => ((await runs()) ? [unit.name] : []),
    state: async () => ((await runs()) ? ('active' as const) : ('inactive' as const)),
    processes: async () => {
      const pid = /^process_id:(\d+)/m.exec(await ask('info', 'server'))?.[1];
      return pid === undefined ? [] : [Number(pid)];
    },
    stop: async () => {
      await ask('shutdown');
      await until(false);
    },
    start: async () => {
      if (await runs()) return;
      const words = ['--daemonize', 'yes', '--port', '0', '--unixsocket', socket, '--dir', own];
      await execute('redis-server', [...words, '--save', '3600 1', '--repl-diskless-sync-delay', '0']);
      await until(true);
    },
  });
}
