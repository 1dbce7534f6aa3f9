import { createReadStream } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { counted } from '../../../domain/counted.ts';
import { HoldfastError, messageOf } from '../../../domain/errors.ts';
import { compareFacts, type Facts } from '../../../domain/facts.ts';
import type { Bytes } from '../../../ports/bytes.ts';
import type { Finding, ItemFormat } from '../../../ports/source.ts';
import { runCommand } from '../../../process/run.ts';
import { findRdbEnd } from './rdb-end.ts';
import { factsOrThrow, type Scanned, scanRdb } from './rdb-scanner.ts';

const CHECKER = 'redis-check-rdb';

/** An item is an RDB; `redis-server --dbfilename` loads it. */
export const format: ItemFormat = {
  kind: 'redis',
  tree: false,
  async inspect(bytes, recorded, workspace, signal) {
    const path = join(workspace, 'inspected.rdb');
    try {
      const scanned = await write(path, bytes, signal);
      if ('malformed' in scanned) return [{ name: 'rdb', outcome: 'failed', detail: scanned.malformed }];
      const read: Finding = { name: 'rdb', outcome: 'passed', detail: 'read to its end, its checksum is right' };
      return [read, ...(await check(path, scanned, signal)), compared(recorded, scanned)];
    } finally {
      await rm(path, { force: true });
    }
  },
  async facts(path, _roots, signal) {
    return factsOrThrow(await scan(createReadStream(path, { highWaterMark: 1024 ** 2 }), signal), path);
  },
};

/** Reads all, whatever it is. */
async function scan(
  bytes: Bytes,
  signal: AbortSignal,
  take: (chunk: Uint8Array) => Promise<void> = async () => undefined,
): Promise<Scanned> {
  const [end, structure] = [findRdbEnd(), scanRdb()];
  for await (const chunk of bytes) {
    signal.throwIfAborted();
    await take(chunk);
    structure.take(end.take(chunk));
  }
  const rest = end.end();
  if (rest === null) return { malformed: 'its end is missing, or its checksum is not that of its bytes' };
  structure.take(rest);
  return structure.end();
}

/** redis-check-rdb reads no stream: it wants a file that it can open. */
async function write(path: string, bytes: Bytes, signal: AbortSignal): Promise<Scanned> {
  await using file = await open(path, 'wx', 0o600);
  return await scan(bytes, signal, async (chunk) => {
    await file.writeFile(chunk).catch((cause: NodeJS.ErrnoException) => {
      if (cause.code !== 'ENOSPC') throw cause;
      throw new HoldfastError('NoSpace', 'The copy of an RDB that is inspected does not fit.', path, { cause });
    });
  });
}

/** What Redis' own checker says, which looks into every value. It cannot say anything of a later Redis. */
async function check(path: string, scanned: Scanned, signal: AbortSignal): Promise<readonly Finding[]> {
  const said = (outcome: Finding['outcome'], detail: string): Finding[] => [{ name: CHECKER, outcome, detail }];
  try {
    const options = { signal, accept: [0, 1] };
    const { exitCode, stdout } = await runCommand({ program: CHECKER, args: [path] }, options);
    if (/RDB format version|unknown (?:object|RDB) type|Unknown RDB/i.test(stdout) && exitCode !== 0)
      return said('inconclusive', `${CHECKER} is older than this RDB: ${lastLine(stdout)}`);
    if (exitCode !== 0) return said('failed', lastLine(stdout));
    const keys = Number(/^\[info\] (\d+) keys read/m.exec(stdout)?.[1]);
    if ('facts' in scanned && keys !== scanned.facts.keys)
      return said('failed', `it finds ${counted(keys, 'key')}, and there are ${scanned.facts.keys}`);
    return said('passed', counted(keys, 'key'));
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof HoldfastError && error.code === 'ToolMissing') return said('inconclusive', error.message);
    return said('failed', messageOf(error));
  }
}

const lastLine = (said: string): string =>
  (/^\[offset \d+\] (?!Checking|AUX|Selecting).*$/m.exec(said)?.[0] ?? said.trim().split('\n').at(-1) ?? '').slice(
    0,
    400,
  );

function compared(recorded: Facts, scanned: Scanned): Finding {
  if (!('facts' in scanned)) {
    const detail = 'unknown' in scanned ? `not compared: there is ${scanned.unknown}` : scanned.malformed;
    return { name: 'facts', outcome: 'inconclusive', detail };
  }
  const differences = compareFacts(recorded, scanned.facts).map(
    ({ fact, expected, actual }) => `${fact}: ${expected ?? 'none'} expected, ${actual ?? 'none'} found`,
  );
  const types = Object.entries(scanned.facts.keyTypes ?? {}).map(([type, count]) => `${type} ${count}`);
  const words = [counted(scanned.facts.keys ?? 0, 'key'), ...types].join(', ');
  return {
    name: 'facts',
    outcome: differences.length > 0 ? 'failed' : 'passed',
    detail: differences.slice(0, 10).join('; ') || words,
  };
}
