import { readFile } from 'node:fs/promises';
import { HoldfastError } from '../../../domain/errors.ts';
import type { OpenScratch, ScratchAccount, ScratchPlace } from '../../../ports/scratch.ts';
import { noSql } from '../server/no-sql.ts';
import { giveFolder, writeScratchFile } from '../server/scratch-file.ts';
import { folderWith, notInstalled } from '../server/scratch-programs.ts';
import { type ScratchServer, startScratchServer } from '../server/scratch-server.ts';
import { format } from './format.ts';

const ACCOUNTS = ['redis', 'nobody'] as const;
const PROGRAMS = ['redis-server', 'redis-cli'] as const;
/** Loading is a part of the start: 50 MB/s were measured on one core. */
const LOAD_LIMIT_MS = 3600_000;
const SAVE_LIMIT_MS = 3600_000;
const RDB = 'dump.rdb';

interface Parts {
  readonly programs: string;
  readonly version: string;
  readonly account: ScratchAccount | null;
  readonly place: ScratchPlace;
}

/** A server of the installed programs that loads the RDB, on a socket that nobody else reaches. */
export const openScratch: OpenScratch = async (source, _items, place, signal) => {
  const { host, folder } = place;
  const programs = await folderWith(PROGRAMS, [], host, signal);
  if (programs === null) throw notInstalled('The server of Redis', host);
  const version = await host.version(`${programs}/redis-server`, signal);
  const account = await place.account(ACCOUNTS, signal);
  await giveFolder(account, place, signal);
  const parts: Parts = { programs, version, account, place };
  const opened = new AsyncDisposableStack();
  let server: ScratchServer | null = null;
  return {
    tool: { name: 'Redis', version },
    url: () => (server === null ? null : `unix://${folder}/s`),
    async restore(item, bytes, aborted) {
      await writeScratchFile({ path: `${folder}/${RDB}`, item: item.name, bytes: bytes() }, account, place, aborted);
      server = opened.use(await load(parts, aborted));
      return [];
    },
    async facts(_item, aborted) {
      try {
        // What it holds is what it writes, keys whose time is over too, counted as in the backup.
        await host.files.remove(`${folder}/${RDB}`, aborted);
        await cli(['SAVE'], parts, aborted);
        return await format.facts(`${folder}/${RDB}`, [], aborted);
      } catch (error) {
        aborted.throwIfAborted();
        throw (await server?.reasonOf(error)) ?? error;
      }
    },
    query: () => Promise.reject(noSql(source, 'a Redis', 'command')),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
};

async function cli(
  words: readonly string[],
  { programs, account, place }: Parts,
  signal: AbortSignal,
): Promise<string> {
  const args = ['-s', `${place.folder}/s`, '-e', ...words];
  const command = place.as(account, { program: `${programs}/redis-cli`, args });
  return (await place.host.run(command, { signal, limitMs: SAVE_LIMIT_MS })).stdout.trim();
}

/** As a replica of nothing, so that no key ends meanwhile. */
async function load(parts: Parts, signal: AbortSignal): Promise<ScratchServer> {
  const { programs, version, account, place } = parts;
  const { folder } = place;
  const log = `${folder}/log`;
  const where = ['--dir', folder, '--dbfilename', RDB, '--unixsocket', `${folder}/s`, '--unixsocketperm', '700'];
  const alone = ['--port', '0', '--save', '', '--appendonly', 'no', '--replicaof', '127.0.0.1', '1'];
  // its title would take the place of the environment, by which it is found after a crash
  const more = ['--daemonize', 'no', '--set-proc-title', 'no', '--logfile', log];
  const command = { program: `${programs}/redis-server`, args: [...where, ...alone, ...more] };
  try {
    return await startScratchServer(
      {
        name: `Redis ${version}`,
        command: place.server(account, command),
        answers: async () => (await cli(['PING'], parts, signal)) === 'PONG',
        limitMs: LOAD_LIMIT_MS,
      },
      place,
      signal,
    );
  } catch (error) {
    signal.throwIfAborted();
    throw refusalIn(await readFile(log, 'utf8').catch(() => ''), error) ?? error;
  }
}

/** What a server that ended says of the RDB, which it may read no further than its own version. */
function refusalIn(log: string, cause: unknown): HoldfastError | null {
  // `51:S 21 Nov 2026 15:42:07.123 # Can't handle RDB format version 99`
  const words = log.split('\n').flatMap((line) => (/RDB|loading/i.test(line) ? line.replace(/^.*? [*#] /, '') : []));
  const later = words.find((line) => /Can't handle RDB format version/i.test(line));
  if (later !== undefined)
    return new HoldfastError('ScratchUnusable', `The scratch server is older: ${later}`, 'redis', { cause });
  const module = /no matching module(?: type)? '([^']+)'/.exec(words.join('\n'))?.[1];
  if (module !== undefined)
    return new HoldfastError('ScratchUnusable', `The scratch server lacks the module of "${module}" values.`, 'redis', {
      cause,
      hint: 'Drill it by hand where the module is; the recovery point itself was not judged',
    });
  const bad = words.findLast((line) => /error|wrong|short read|corrupt|invalid|unexpected|unknown/i.test(line));
  return bad === undefined ? null : new HoldfastError('Damaged', `Redis does not load it: ${bad}`, 'redis', { cause });
}
