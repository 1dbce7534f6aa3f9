import { HoldfastError } from '../../../domain/errors.ts';
import type { Command } from '../../../ports/host.ts';
import type { Reached } from '../server/reach.ts';
import { refuseOlderTool } from '../server/versions.ts';
import * as args from './args.ts';
import type { RedisSettings } from './config.ts';

const PROGRAM = 'redis-cli';
const ANSWER_LIMIT_MS = 60_000;
/** What an account of Redis' access lists needs for a dump. */
const NEEDED = '+info +sync +psync +replconf';

/** A server as a capture finds it. */
export interface Seen {
  readonly toolVersion: string;
  /** What its data take in memory: an RDB is seldom larger. Null when it does not tell. */
  readonly bytes: number | null;
}

/** Where a server keeps its data. */
export interface Places {
  readonly folder: string;
  /** Names in the folder. `appendOnly`: null unless the server reads it when it starts; `folder` from Redis 7 on. */
  readonly rdbName: string;
  readonly appendOnly: { readonly file: string; readonly folder: string | null } | null;
  /** Its process, as its own machine or container numbers it; null when it is away. */
  readonly pid: number | null;
}

export interface Client {
  readonly host: Reached['host'];
  /** Prints an RDB. */
  readonly replicate: Command;
  /** @throws SourceMissing without a server; SourceFailed when it lets nobody in; ToolMissing for an older redis-cli */
  look(signal: AbortSignal): Promise<Seen>;
  /** Null when the server is away. @throws SourceFailed when it does not say; Refused for a replica */
  places(signal: AbortSignal): Promise<Places | null>;
  /** What went wrong, in words that say what to do. */
  explain(error: unknown): unknown;
}

export function clientOf(source: string, settings: RedisSettings, { host, password, command }: Reached): Client {
  const environment = password === null ? {} : { REDISCLI_AUTH: password };
  const explain = (error: unknown): unknown => explained(error, source);
  return {
    host,
    explain,
    replicate: command(PROGRAM, args.replicate(settings), environment),
    async look(signal) {
      const asked = async () => {
        const information = command(PROGRAM, args.information(settings), environment);
        const version = await host.version(PROGRAM, signal);
        return [version, await host.run(information, { signal, limitMs: ANSWER_LIMIT_MS })] as const;
      };
      const [toolVersion, { stdout, stderrTail }] = await asked().catch((error: unknown) => {
        signal.throwIfAborted();
        throw explain(error);
      });
      const field = (name: string): string | undefined => new RegExp(`^${name}:(\\S+)`, 'm').exec(stdout)?.[1];
      const serverVersion = field('redis_version');
      if (serverVersion === undefined) throw refused(stdout, stderrTail, source); // it ends with 0 then
      const compared = { tool: PROGRAM, toolVersion, server: 'Redis', serverVersion, where: host.name };
      refuseOlderTool(compared, 1);
      const used = field('used_memory_dataset');
      return { toolVersion, bytes: used === undefined ? null : Number(used) };
    },
    async places(signal) {
      const ask = async (asking: Command): Promise<readonly string[]> => {
        const { stdout, stderrTail } = await host.run(asking, { signal, limitMs: ANSWER_LIMIT_MS });
        if (/^(?:NOAUTH|WRONGPASS)/.test(stdout)) throw refused(stdout, stderrTail, source); // it ends with 0 then
        return stdout.split(/\r?\n/);
      };
      const found = new Map<string, string>();
      try {
        for (const pattern of ['dir', 'dbfilename', 'append*']) {
          const lines = await ask(command(PROGRAM, args.setting(settings, pattern), environment));
          for (let at = 0; at + 1 < lines.length; at += 2) found.set(lines[at] ?? '', lines[at + 1] ?? '');
        }
        const information = await ask(command(PROGRAM, args.information(settings), environment));
        const field = (name: string): string | undefined =>
          information.find((line) => line.startsWith(`${name}:`))?.slice(name.length + 1);
        if (field('role') === 'slave') throw filledByAnother(source, `${field('master_host')}:${field('master_port')}`);
        const pid = field('process_id');
        return placesIn(found, pid === undefined ? null : Number(pid), source);
      } catch (error) {
        signal.throwIfAborted();
        const told = explain(error);
        if (told instanceof HoldfastError && told.code === 'SourceMissing') return null;
        throw told;
      }
    },
  };
}

const filledByAnother = (source: string, primary: string): HoldfastError =>
  new HoldfastError(
    'Refused',
    `The server of ${source} is a replica of ${primary}, which would fill it again.`,
    source,
    {
      hint: 'Name the primary in the source, or restore to a folder: --to DIR',
    },
  );

function placesIn(found: ReadonlyMap<string, string>, pid: number | null, source: string): Places {
  const said = (name: string): string => {
    const value = found.get(name);
    if (value !== undefined && value !== '') return value;
    throw new HoldfastError('SourceFailed', `The server of ${source} does not say its ${name}.`, source, {
      hint: 'Allow the account to ask: ACL SETUSER NAME +config|get. A server whose CONFIG is renamed cannot be asked',
    });
  };
  const fixed = { folder: said('dir'), rdbName: said('dbfilename'), pid };
  if (said('appendonly') !== 'yes') return { ...fixed, appendOnly: null };
  return { ...fixed, appendOnly: { file: said('appendfilename'), folder: found.get('appenddirname') ?? null } };
}

function explained(error: unknown, source: string): unknown {
  if (!(error instanceof HoldfastError) || error.code !== 'ProcessFailed') return error;
  const said = error.cause instanceof Error ? error.cause.message : error.message;
  if (/does not run|No such container/i.test(error.message))
    return new HoldfastError('SourceMissing', error.message, source, { cause: error, hint: error.hint });
  if (/Could not connect|Connection refused|No route to host|Server closed the connection/i.test(said))
    return new HoldfastError('SourceMissing', `${source}: ${lastOf(said)}`, source, {
      cause: error,
      hint: 'Look whether the server runs, and at `container`, `socket` or `host` of the source',
    });
  if (/Fail to fsync/.test(said))
    return new HoldfastError('ToolMissing', `This ${PROGRAM} cannot write to its standard output.`, PROGRAM, {
      cause: error,
      hint: `Install a later one: 6.2.0 to 6.2.4 have this defect`,
    });
  if (/did not end within/.test(error.message))
    return new HoldfastError('SourceFailed', `${source}: the server does not answer: ${error.message}`, source, {
      cause: error,
      hint: 'Look whether the server hangs; the last good point stays',
    });
  return refusal(said, source, error);
}

/** A password that is wrong is told on stderr; the answer is then that there was none. */
const refused = (stdout: string, stderrTail: string, source: string): HoldfastError =>
  refusal(/^AUTH failed: .*/m.exec(stderrTail)?.[0] ?? stdout.trim(), source);

function refusal(said: string, source: string, cause?: Error): HoldfastError {
  const words = `${source}: ${lastOf(said) || 'the server did not answer'}`;
  const options = cause === undefined ? {} : { cause };
  if (/WRONGPASS|NOAUTH|AUTH failed|invalid password/i.test(said))
    return new HoldfastError('SourceFailed', words, source, {
      ...options,
      hint: 'Look at `user` and `password` of the source',
    });
  if (/NOPERM/.test(said))
    return new HoldfastError('SourceFailed', words, source, {
      ...options,
      hint: `Allow the account what a dump needs: ACL SETUSER NAME ${NEEDED}`,
    });
  return new HoldfastError('SourceFailed', words, source, options);
}

/** The line that tells why; redis-cli's own progress says nothing of it. */
const lastOf = (said: string): string =>
  said
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !/^sending REPLCONF/.test(line))
    .at(-1)
    ?.slice(0, 400) ?? '';
