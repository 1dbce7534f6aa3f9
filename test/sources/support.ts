import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdtemp, realpath } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import type { Bytes } from '../../src/ports/bytes.ts';
import type { Command, Host } from '../../src/ports/host.ts';
import type { CaptureContext, CapturedStream, CapturedTree, TreeNaming } from '../../src/ports/source.ts';

/** A folder that is removed with what is in it. */
export async function temporaryFolder(): Promise<{ readonly path: string } & AsyncDisposable> {
  const path = await realpath(await mkdtemp(join(tmpdir(), 'holdfast-')));
  // By rm, since Node cannot remove paths that are longer than 4096 bytes.
  return { path, [Symbol.asyncDispose]: async () => void (await output('rm', '-rf', path)) };
}

export const contextIn = (workspace: string, given: Partial<CaptureContext> = {}): CaptureContext => ({
  workspace,
  forbidden: [],
  quiescent: false,
  ...given,
});

export const ABSOLUTE: TreeNaming = { style: 'absolute' };

export const bytesOf = (item: CapturedStream | CapturedTree, signal: AbortSignal, naming = ABSOLUTE): Bytes =>
  item.type === 'tree' ? item.tar(naming, signal) : item.bytes(signal);

export const writeBytes = (bytes: Bytes, path: string): Promise<void> =>
  pipeline(Readable.from(bytes), createWriteStream(path, { mode: 0o600 }));

const execute = promisify(execFile);

/** A program's stdout as bytes. Rejects unless it ends with 0. */
export async function output(program: string, ...args: readonly string[]): Promise<Buffer> {
  const options = { encoding: 'buffer', maxBuffer: 2 ** 28, env: { ...process.env, LC_ALL: 'C', TZ: 'UTC' } } as const;
  return (await execute(program, args, options)).stdout;
}

/** The same as text without the newline at its end. */
export const told = async (program: string, ...args: readonly string[]): Promise<string> =>
  (await output(program, ...args)).toString('latin1').trimEnd();

/** A host whose commands are changed before they run. */
export const changing = (host: Host, change: (command: Command) => Command): Host => ({
  ...host,
  run: (command, options) => host.run(change(command), options),
  read: (commands, options) => host.read(commands.map(change), options),
  feed: (commands, options) => host.feed(commands.map(change), options),
  session: (command, options) => host.session(change(command), options),
});

/** Reads an item whose server dies once more than so many bytes have come, which must fail, however much came.
 *  @returns how many bytes came */
export async function cutShort(
  item: CapturedStream | CapturedTree,
  signal: AbortSignal,
  kill: () => Promise<void>,
  after = 0,
): Promise<number> {
  let [came, killed] = [0, false];
  const reading = async (): Promise<void> => {
    for await (const chunk of bytesOf(item, signal)) {
      came += chunk.length;
      if (killed || came <= after) continue;
      killed = true;
      await kill();
    }
  };
  await expect(reading()).rejects.toMatchObject({ code: expect.stringMatching(/^Source(Missing|Failed)$/) });
  expect(came).toBeGreaterThan(after);
  expect(() => item.completed()).toThrow('not read to its end');
  return came;
}

export interface Program extends AsyncDisposable {
  readonly child: ChildProcess;
  /** Resolves with the next line that it prints. */
  line(): Promise<string>;
}

/** A Node program that is killed at the end of the block. */
export function running(code: string): Program {
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  let [text, wake]: [string, () => void] = ['', () => {}];
  child.stdout?.on('data', (chunk: Buffer) => {
    text += chunk.toString('utf8');
    wake();
  });
  void ended.then(() => wake());
  return {
    child,
    async line() {
      while (!text.includes('\n')) {
        if (child.exitCode !== null || child.signalCode !== null) throw new Error('the program ended');
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      const [first = '', ...rest] = text.split('\n');
      text = rest.join('\n');
      return first;
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

/** A program that writes to a database until it is killed, and prints `ready` once its first row is there. Its table `t`
 *  has two rows a transaction, so an even number at any moment; each of 2 KB. */
export const writer = (database: string): Program =>
  running(`
    import { DatabaseSync } from 'node:sqlite';
    const database = new DatabaseSync(${JSON.stringify(database)}, { timeout: 60000 });
    for (let round = 0; ; round += 1) {
      database.exec('BEGIN IMMEDIATE; INSERT INTO t VALUES (randomblob(2000)); INSERT INTO t VALUES (randomblob(2000)); COMMIT');
      if (round === 0) console.log('ready');
      if (round % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
    }`);

/** What `find` says of a tree: names, types, sizes, modes, owners, link counts, modification times and targets, sorted. */
export async function listing(folder: string): Promise<readonly string[]> {
  const printed = '%P\\0%y %s %m %U %G %n %T@ %l\\n\\0';
  const fields = (await output('find', folder, '-printf', printed)).toString('latin1').split('\n\0');
  // The size of a folder depends on the file system's history.
  return fields.map((field) => field.replace(/\0d \d+ /, '\0d ')).toSorted();
}
