import { closeSync, constants, openSync, readSync } from 'node:fs';
import { type FileHandle, mkdir, open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError, messageOf } from '../../../domain/errors.ts';
import { printName } from '../../../domain/tree-name.ts';
import type { Host } from '../../../ports/host.ts';
import { inTurn, openDatabases } from '../online-backup/sqlite.ts';
import * as args from './args.ts';
import type { Lines } from './lines.ts';
import { keyOf, readNames } from './names.ts';

/** https://www.sqlite.org/fileformat.html, section 1.3. */
const SQLITE_HEADER = 'SQLite format 3\0';
const COMPANIONS = ['-wal', '-shm', '-journal'] as const;
const MAY_OPEN = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** The SQLite databases among the candidates of a walk, as names relative to `/`. What cannot be opened is left to the
 *  program that reads the tree, which says so. */
export async function findSqlite(candidates: string, signal: AbortSignal): Promise<readonly Buffer[]> {
  const found: Buffer[] = [];
  const header = Buffer.alloc(SQLITE_HEADER.length);
  for await (const names of readNames(candidates, signal)) {
    const looked = (): Buffer[] =>
      names.map((name) => name.subarray(0, -1)).filter((name) => beginsAsSqlite(name, header));
    found.push(...(await inTurn(async () => looked())).map((name) => Buffer.from(name)));
  }
  return found;
}

function beginsAsSqlite(name: Buffer, header: Buffer): boolean {
  let file: number;
  try {
    file = openSync(absolute(name), MAY_OPEN);
  } catch {
    return false;
  }
  try {
    return readSync(file, header, 0, header.length, 0) === header.length && header.toString('latin1') === SQLITE_HEADER;
  } catch {
    return false;
  } finally {
    closeSync(file);
  }
}

const absolute = (name: Uint8Array): Buffer => Buffer.concat([SLASH, name]);
const SLASH = Buffer.from('/');

export interface Copies {
  /** The folder in which the copies have the names of what they are copies of. */
  readonly folder: string;
  /** A file with these names, each ended by NUL; null when there are none. */
  readonly names: string | null;
  /** Keys of the names that the tar takes from the copies or not at all. */
  readonly left: ReadonlySet<string>;
  /** Databases that are read as they are, and so must hold still; absolute. */
  readonly asTheyAre: readonly Buffer[];
}

/** Copies each database as it is at one moment. One that SQLite cannot read is stored as it is, with a warning.
 *  @throws NoSpace */
export async function copySqlite(
  found: readonly Buffer[],
  folder: string,
  warnings: Lines,
  host: Host,
  signal: AbortSignal,
): Promise<Copies> {
  const copies = join(folder, 'copies');
  if (found.length > 0) await lookForSpace(found, folder, host, signal);
  await mkdir(copies, { mode: 0o700 });
  const left = new Set<string>();
  const [copied, asTheyAre]: [Buffer[], Buffer[]] = [[], []];
  await using databases = openDatabases();
  for (const name of found) {
    const companions = COMPANIONS.map((suffix) => Buffer.concat([name, Buffer.from(suffix)]));
    try {
      const target = Buffer.concat([Buffer.from(`${copies}/`), name]);
      await mkdir(target.subarray(0, target.lastIndexOf(0x2f)), { recursive: true, mode: 0o700 });
      await using made = await open(target, 'wx', 0o600);
      await databases.copy(absolute(name), target, { count: false, check: false }, signal);
      await inTurn(() => giveAttributes(name, made, host, warnings, signal));
      copied.push(name, Buffer.from([0]));
      for (const taken of [name, ...companions]) left.add(keyOf(taken));
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof HoldfastError && error.code === 'NoSpace') throw error;
      if (error instanceof HoldfastError && error.code === 'SourceMissing') continue; // tar says that it vanished
      asTheyAre.push(...[name, ...companions].map(absolute));
      warnings.add(`${printName(absolute(name))}: stored as it is, not as a copy: ${messageOf(error)}`);
    }
  }
  const names = join(folder, 'copied');
  if (copied.length === 0) return { folder: copies, names: null, left, asTheyAre };
  await using list = await open(names, 'wx', 0o600);
  await list.writeFile(Buffer.concat(copied));
  return { folder: copies, names, left, asTheyAre };
}

async function lookForSpace(found: readonly Buffer[], folder: string, host: Host, signal: AbortSignal): Promise<void> {
  let needed = 0;
  for (const name of found)
    for (const path of [absolute(name), absolute(Buffer.concat([name, Buffer.from('-wal')]))])
      needed += (await stat(path).catch(() => null))?.size ?? 0; // what is not there needs nothing
  const free = await host.files.freeBytes(folder, signal);
  if (free >= needed) return;
  const message = `Copies of ${found.length} SQLite databases need ${needed} bytes, and ${free} are free.`;
  throw new HoldfastError('NoSpace', message, folder);
}

/** Both files are named by their descriptors, because a name may be no UTF-8 and an argument always is. */
async function giveAttributes(name: Buffer, to: FileHandle, host: Host, warnings: Lines, signal: AbortSignal) {
  await using from = await open(absolute(name), MAY_OPEN);
  const byDescriptor = ({ fd }: FileHandle): string => `/proc/${process.pid}/fd/${fd}`;
  const lines: string[] = [];
  const command = { program: 'cp', args: args.copyAttributes(byDescriptor(from), byDescriptor(to)) };
  const ended = await host.run(command, { signal, accept: [0, 1], onStderr: (line) => lines.push(line) });
  if (ended.exitCode === 1)
    warnings.add(`${printName(absolute(name))}: its copy has not all of its attributes: ${lines.join('; ')}`);
}
