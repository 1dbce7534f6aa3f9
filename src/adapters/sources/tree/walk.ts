import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { HoldfastError } from '../../../domain/errors.ts';
import { parsePattern } from '../../../domain/exclude.ts';
import { COPIES_FOLDER } from '../../../domain/pool-names.ts';
import { printName } from '../../../domain/tree-name.ts';
import type { Host } from '../../../ports/host.ts';
import * as args from './args.ts';
import { boundedLines, type Lines } from './lines.ts';
import { listen } from './listen.ts';
import { type Found, parseFindLine, recordSplitter } from './parse.ts';
import { type Places, placesOf, whereWalked } from './places.ts';
import { inside, printPlace, type Root } from './roots.ts';

export interface WalkOptions {
  readonly roots: readonly Root[];
  readonly exclude: readonly string[];
  /** Real paths that are left out with a warning. */
  readonly forbidden: readonly string[];
  readonly crossMounts: boolean;
  /** Where the lists of names are written: memory does not grow with their number. */
  readonly folder: string;
}

/** What a tree holds, without having read a file of it. */
export interface Walk {
  /** A file of names relative to `/`, each ended by NUL, as they are where they are read: what is captured, folders
   *  before what is in them. */
  readonly names: string;
  /** The same, of the files that have the size of a SQLite database. */
  readonly candidates: string;
  /** SHA-256 in hex over types, sizes, modes, owners, inode numbers, times and names; null when something was lost. */
  readonly fingerprint: string | null;
  readonly estimatedBytes: number;
  /** Regular files at or below each root, in the order of the roots. */
  readonly files: readonly number[];
  /** Absolute paths that hold a database, where they are read: what is in them must not change meanwhile. */
  readonly databases: readonly Buffer[];
  readonly warnings: Lines;
  readonly unreadable: Lines;
}

/** Folders of these names' parents are databases; files of these endings are (interface, section 10, line 2). */
const CLUSTER_FILES = new Set(['PG_VERSION', 'ibdata1']);
const DATABASE_FILE = /\.(?:couch|rdb|aof)$/;
/** Page sizes of SQLite are powers of two from 512 (https://www.sqlite.org/fileformat.html, section 1.3.2). */
const SMALLEST_PAGE = 512;
/** A header, and one with the time in fractions of a second. */
const HEADER_BYTES = 3 * 512;

/** Walks the roots. @throws SourceMissing for a root that is gone; SourceFailed for what is mounted inside, for nested
 *  subvolumes and for what `find` says that is not understood */
export async function walk(options: WalkOptions, host: Host, signal: AbortSignal): Promise<Walk> {
  const { roots, crossMounts, folder } = options;
  const hash = createHash('sha256').update(`tree 1\n${JSON.stringify(roots.map(({ path }) => path))}\n`);
  const [warnings, unreadable] = [boundedLines(), boundedLines()];
  const listener = listen(
    'find',
    parseFindLine,
    { warnings, unreadable },
    roots.map((root) => printPlace(args.walkedAt(root))),
  );
  const own = roots.flatMap((root) => inside(root, options.forbidden).map((path) => whereWalked(root, path)));
  const sieve = siftNames(options, own, warnings);
  const command = {
    program: 'find',
    args: args.find({ roots, patterns: options.exclude.map(parsePattern), closed: own, crossMounts }),
  };
  const [names, candidates] = [join(folder, 'names'), join(folder, 'candidates')];
  const nested = crossMounts ? new Set<string>() : await mountedInside(options, host, signal);
  const databases: Buffer[] = [];
  const files = roots.map(() => 0);
  let estimatedBytes = 0;
  {
    await using namesFile = await open(names, 'wx', 0o600);
    await using candidatesFile = await open(candidates, 'wx', 0o600);
    const splitter = recordSplitter();
    for await (const chunk of host.read([command], { signal, ...listener.options })) {
      const [keptNames, keptCandidates, identities]: [Buffer[], Buffer[], Buffer[]] = [[], [], []];
      for (const found of splitter.write(chunk)) {
        const place = sieve(found);
        if (place === null) continue;
        const { rootAt, foreign } = place;
        if (foreign && !crossMounts) nested.add(printName(found.path));
        const path = place.places.read(found.path);
        const name = path.length === 1 ? ROOT_NAME : path.subarray(1);
        keptNames.push(name, NUL);
        identities.push(place.places.identity(found));
        estimatedBytes += HEADER_BYTES;
        if (found.type !== 'f') continue;
        files[rootAt] = (files[rootAt] ?? 0) + 1;
        estimatedBytes += Math.ceil(Math.min(found.size, found.allocated) / found.links / 512) * 512;
        if (found.size > 0 && found.size % SMALLEST_PAGE === 0) keptCandidates.push(name, NUL);
        const database = databaseOf(path);
        if (database !== null) databases.push(Buffer.from(database));
      }
      hash.update(Buffer.concat(identities));
      await append(namesFile, keptNames);
      await append(candidatesFile, keptCandidates);
    }
    splitter.end();
  }
  listener.judge();
  for (const path of listener.lost.keys())
    throw new HoldfastError('SourceMissing', `${path} cannot be read, or it vanished meanwhile.`, path);
  if (nested.size > 0) throw notAlone([...nested]);
  const lossless = listener.excuses() === 0;
  return {
    names,
    candidates,
    fingerprint: lossless ? hash.digest('hex') : null,
    estimatedBytes,
    files,
    databases,
    warnings,
    unreadable,
  };
}

const NUL = Buffer.from([0]);
const ROOT_NAME = Buffer.from('.');

async function append(file: FileHandle, parts: readonly Buffer[]): Promise<void> {
  if (parts.length > 0) await file.writeFile(Buffer.concat(parts));
}

interface Sifted {
  readonly rootAt: number;
  readonly places: Places;
  /** A folder of another file system than its root, or of a nested subvolume. */
  readonly foreign: boolean;
}

/** Says of each name, in the order of `find`, to which root it belongs, or null when it is left out. */
function siftNames({ roots, exclude }: WalkOptions, own: readonly string[], warnings: Lines) {
  const ownPaths = new Set(own.map((path) => Buffer.from(path).toString('latin1')));
  let rootAt = -1;
  let root: Root | undefined;
  let places: Places | undefined;
  let device = 0;
  /** What lies under this was left out; `find` goes through a folder before it goes on. */
  let left: Buffer | null = null;
  return (found: Found): Sifted | null => {
    const { path, type } = found;
    if (found.depth === 0) {
      rootAt = roots.findIndex((candidate) => Buffer.from(args.walkedAt(candidate)).equals(path));
      root = roots[rootAt];
      places = root === undefined ? undefined : placesOf(root);
      [device, left] = [found.device, null];
    }
    if (root === undefined || places === undefined)
      throw new Error(`find printed a name of no root: ${printName(path)}`);
    if (left !== null && path.length > left.length && path.subarray(0, left.length).equals(left)) return null;
    if (exclude.length > 0 && found.depth > 0) {
      const start = root.path === '/' ? 1 : Buffer.byteLength(args.walkedAt(root)) + 1;
      const below = path.toString(isUtf8(path) ? 'utf8' : 'latin1', start);
      if (root.excluded(below, type === 'd')) {
        if (type === 'd') left = Buffer.concat([path, SLASH]);
        return null;
      }
    }
    const isOwn = ownPaths.size > 0 && ownPaths.has(path.toString('latin1'));
    // another backup may have its snapshots beside what it reads, for as long as it reads
    if (isOwn || (type === 'd' && found.depth > 0 && path.subarray(-COPIES.length).equals(COPIES))) {
      warnings.add(`${printName(path)}: left out, it belongs to Holdfast itself`);
      left = Buffer.concat([path, SLASH]);
      return null;
    }
    if (type === 's') {
      warnings.add(`${printName(path)}: a socket is not stored`);
      return null;
    }
    const other = found.device !== device || (root.snapshot?.identical === true && found.inode === MISSING_SUBVOLUME);
    return { rootAt, places, foreign: type === 'd' && other };
  };
}
const SLASH = Buffer.from('/');
const COPIES = Buffer.from(`/${COPIES_FOLDER}`);
/** Of the empty folder that a snapshot of BTRFS has in place of a subvolume (BTRFS_EMPTY_SUBVOL_DIR_OBJECTID). */
const MISSING_SUBVOLUME = 2;

function databaseOf(path: Buffer): Buffer | null {
  const slash = path.lastIndexOf(0x2f);
  const name = path.toString('latin1', slash + 1);
  if (CLUSTER_FILES.has(name)) return path.subarray(0, slash);
  return DATABASE_FILE.test(name) ? path : null;
}

/** A bind mount of the same file system has the same device, and a file may be a mount point: only the table of mounts
 *  names these. */
async function mountedInside({ roots, forbidden }: WalkOptions, host: Host, signal: AbortSignal): Promise<Set<string>> {
  const found = new Set<string>();
  for (const root of roots) {
    const mounts = await host.files.mountsBelow(root.path, signal);
    const open = mounts.filter((mount) => !forbidden.some((own) => mount === own || mount.startsWith(`${own}/`)));
    for (const path of inside(root, open)) found.add(printName(Buffer.from(path)));
  }
  return found;
}

function notAlone(nested: readonly string[]): HoldfastError {
  const [first = ''] = nested;
  const listed = nested.slice(0, 10).join(', ') + (nested.length > 10 ? ` and ${nested.length - 10} more` : '');
  const message = `Other file systems or subvolumes lie inside the source and would be missing: ${listed}.`;
  return new HoldfastError('SourceFailed', message, first, {
    hint: 'Say `exclude` for each, declare it as a source of its own, or say `crossMounts: true`',
  });
}
