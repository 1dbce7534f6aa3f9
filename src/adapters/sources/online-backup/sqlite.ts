import { Worker } from 'node:worker_threads';
import { HoldfastError } from '../../../domain/errors.ts';
import { printName } from '../../../domain/tree-name.ts';
import type { Cell } from '../../../ports/source.ts';
import { type Answer, type Examined, type Failure, type Task, work } from './worker.ts';

/** How long a copy waits for a writer's lock, and how long a copy may keep the writers of a rollback journal waiting. */
const WAIT_MS = 30_000;
const BLOCK_MS = 600_000;
const QUERY_WAIT_MS = 10_000;

interface CopyOptions {
  /** Count the rows of the source in the transaction that is copied. */
  readonly count: boolean;
  /** Prove the copy by `integrity_check`. */
  readonly check: boolean;
  readonly waitMs?: number;
  readonly blockMs?: number;
}

/** Databases read in a thread of their own, because SQLite's calls are synchronous and may take minutes. Hold it with
 *  `await using`. An abort rejects at once; SQLite ends its present call first, and what it was writing is discarded. */
export interface Databases extends AsyncDisposable {
  /** Copies a database as it is at one moment while others write to it, into `target`, an empty file that exists. The
   *  host stays as it is: nothing is left beside the source.
   *  @throws SourceMissing; NoSpace; SourceFailed for what is empty, no database, damaged or locked for too long */
  copy(source: Uint8Array, target: string | Uint8Array, options: CopyOptions, signal: AbortSignal): Promise<Examined>;
  /** Looks at a file that nobody else has open. Null when it is no database that SQLite can read, with the reason. */
  examine(path: string, signal: AbortSignal): Promise<Examined | { readonly unreadable: string }>;
  /** The first cell of the first row of a query of a database that others may write to; nothing can be changed by it.
   *  @throws SourceMissing; QueryFailed for what SQLite refuses; SourceFailed for what is locked or no database */
  query(source: Uint8Array, sql: string, signal: AbortSignal): Promise<Cell>;
}

/** POSIX locks belong to the process: closing a file drops the locks that any other connection of this process has on
 *  it (https://www.sqlite.org/howtocorrupt.html, section 2.2). So whoever opens database files here waits for a turn. */
let last: Promise<unknown> = Promise.resolve();
export async function inTurn<Result>(run: () => Promise<Result>): Promise<Result> {
  const before = last;
  const { promise, resolve } = Promise.withResolvers<void>();
  last = promise;
  await before;
  try {
    return await run();
  } finally {
    resolve();
  }
}

export const sqliteVersion = (): string => process.versions.sqlite ?? 'unknown';

export function openDatabases(): Databases {
  let worker: Worker | null = null;

  async function ask(task: Task, signal: AbortSignal): Promise<Answer> {
    signal.throwIfAborted();
    const asked = worker ?? new Worker(`(${work.toString()})()`, { eval: true, env: {}, execArgv: [] });
    worker = asked;
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const aborted = (): void => {
      void asked.terminate();
      reject(signal.reason);
    };
    const ended = (code: number): void => reject(new Error(`the thread that reads databases ended with ${code}`));
    signal.addEventListener('abort', aborted, { once: true });
    asked.once('message', resolve).once('error', reject).once('exit', ended);
    asked.postMessage(task);
    try {
      return await promise;
    } catch (error) {
      if (worker === asked) worker = null;
      throw error;
    } finally {
      signal.removeEventListener('abort', aborted);
      asked.off('message', resolve).off('error', reject).off('exit', ended);
    }
  }
  return {
    copy: (source, target, options, signal) =>
      inTurn(async () => {
        const limits = { waitMs: options.waitMs ?? WAIT_MS, blockMs: options.blockMs ?? BLOCK_MS };
        const { count, check } = options;
        const answer = await ask(
          { task: 'copy', source, target: Buffer.from(target), count, check, ...limits },
          signal,
        );
        if ('failed' in answer) throw refusal(answer.failed, printName(source));
        if (!('done' in answer)) throw new TypeError('the thread answered something else');
        return answer.done;
      }),
    examine: (path, signal) =>
      inTurn(async () => {
        const answer = await ask({ task: 'examine', path: Buffer.from(path) }, signal);
        if ('done' in answer) return answer.done;
        if (!('failed' in answer)) throw new TypeError('the thread answered something else');
        if (answer.failed.kind === 'missing') throw refusal(answer.failed, path);
        return { unreadable: answer.failed.message };
      }),
    query: (source, sql, signal) =>
      inTurn(async () => {
        const answer = await ask({ task: 'query', source, sql, waitMs: QUERY_WAIT_MS }, signal);
        if ('cell' in answer) return answer.cell;
        if (!('failed' in answer)) throw new TypeError('the thread answered something else');
        const { kind, message } = answer.failed;
        const path = printName(source);
        if (kind === 'failed') throw new HoldfastError('QueryFailed', `${path}: ${message}`, path);
        if (kind === 'missing') throw refusal(answer.failed, path);
        throw new HoldfastError('SourceFailed', `${path} cannot be asked: ${message}.`, path);
      }),
    async [Symbol.asyncDispose]() {
      await worker?.terminate();
    },
  };
}

function refusal({ kind, message }: Failure, path: string): HoldfastError {
  const say = `The SQLite database ${path} cannot be copied: ${message}.`;
  if (kind === 'missing') return new HoldfastError('SourceMissing', `There is no database ${path}.`, path);
  if (kind === 'full') return new HoldfastError('NoSpace', `The copy of ${path} does not fit: ${message}.`, path);
  if (kind === 'busy')
    return new HoldfastError('SourceFailed', say, path, {
      hint: 'Stop its units during the backup, or let its application use WAL: PRAGMA journal_mode = WAL',
    });
  if (kind === 'no-database')
    return new HoldfastError('SourceFailed', say, path, {
      hint: 'An encrypted one, or what is none, is captured as `files`, its units stopped meanwhile: stopDuring: { backup: true }',
    });
  if (kind === 'corrupt' || kind === 'empty')
    return new HoldfastError('SourceFailed', say, path, { hint: 'Look at the database with: sqlite3 FILE .dump' });
  return new HoldfastError('SourceFailed', say, path);
}
