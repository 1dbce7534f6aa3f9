import type { Pattern, PatternPart } from '../../../domain/exclude.ts';
import { COPIES_FOLDER } from '../../../domain/pool-names.ts';
import type { PathSnapshot, TreeNaming } from '../../../ports/source.ts';

/** A folder or file that is captured. `path`: absolute, without a slash at its end; a link was followed. */
export interface TreeRoot {
  readonly path: string;
  readonly folder: boolean;
  /** Left out where the path itself is read. */
  readonly snapshot?: PathSnapshot | undefined;
}

/** Where a root is walked, and where its bytes are read: in its snapshot, as far as that tells the same. */
export const walkedAt = ({ path, snapshot }: TreeRoot): string => (snapshot?.identical === true ? snapshot.at : path);
export const readAt = ({ path, snapshot }: TreeRoot): string => snapshot?.at ?? path;

/** What `find` prints of each name: blocks of 512 bytes, links, depth, device; then type, size, mode, owner, group,
 *  inode, times, the path and the target of a link, the last two ended by NUL. */
const PRINTED = '%b %n %d %D %y %s %m %U %G %i %T@ %C@ %p\\0%l\\0';
/** Fields before the path, and how many of them do not tell whether a file changed: the device of a disk may have
 *  another number after a start, and blocks are counted late. */
export const FIELDS = 12;
export const FIELDS_BEFORE_IDENTITY = 4;

export interface Walked {
  readonly roots: readonly TreeRoot[];
  readonly patterns: readonly Pattern[];
  /** Absolute paths that are named and not entered. */
  readonly closed: readonly string[];
  readonly crossMounts: boolean;
}

/** `find`: what is left out is neither printed nor entered, as far as a regular expression can say it exactly; the
 *  walk judges all patterns again. */
export function find({ roots, patterns, closed, crossMounts }: Walked): string[] {
  // A path inside another is there only because the other leaves it out, and must not be left out itself.
  const nested = roots.some(({ path }) => roots.some((outer) => path.startsWith(`${outer.path}/`)));
  const left = (nested ? [] : roots).flatMap((root) => patterns.flatMap((pattern) => leftOut(pattern, root)));
  const copies = roots.some((root) => walkedAt(root).endsWith(`/${COPIES_FOLDER}`))
    ? []
    : ['-o', '-name', COPIES_FOLDER];
  const notEntered = [...closed.flatMap((path) => ['-o', '-regex', literal(path)]), ...copies].slice(1);
  return [
    ...roots.map(walkedAt),
    ...(crossMounts ? [] : ['-xdev']),
    ...['-regextype', 'posix-extended'],
    ...(left.length > 0 ? ['(', ...left.slice(1), ')', '-prune', '-o'] : []),
    ...['-printf', PRINTED],
    ...(notEntered.length > 0 ? ['(', ...notEntered, ')', '-prune'] : []),
  ];
}

/** Bytes are compared (LC_ALL=C), so a character that may be any one is left to the walk. */
function leftOut({ anchor, foldersOnly, parts }: Pattern, treeRoot: TreeRoot): string[] {
  if (parts.some(({ kind }) => kind === 'any' || kind === 'class')) return [];
  const root = walkedAt(treeRoot);
  if (anchor === 'absolute' && root !== treeRoot.path) return []; // it means names that the snapshot does not have
  const base = literal(root === '/' ? '' : root);
  const text = parts.map(printPart).join('');
  const whole = { name: `${base}/(.*/)?${text}`, root: `${base}/${text}`, absolute: `/${text}` }[anchor];
  // An absolute pattern may name the root or a folder above it, which are never left out.
  const below = anchor === 'absolute' ? ['-path', `${escapeGlob(root === '/' ? '' : root)}/*`] : [];
  return ['-o', ...(foldersOnly ? ['-type', 'd'] : []), ...below, '-regex', whole];
}

function printPart(part: PatternPart): string {
  if (part.kind === 'text') return literal(part.text);
  if (part.kind === 'star') return '[^/]*';
  return part.kind === 'folders' ? '([^/]+/)*' : '.+';
}
const literal = (text: string): string => text.replaceAll(/[\\^]/g, '\\$&').replaceAll(/[.[$()*+?{|}]/g, '[$&]');
const escapeGlob = (text: string): string => text.replaceAll(/[\\*?[]/g, '\\$&');

/** Names that hold the members of a tar: databases are read from where their copies are. */
export interface Listed {
  /** The folder of the copies and the file with their names; null when there are none. */
  readonly copies: { readonly folder: string; readonly names: string } | null;
  readonly roots: readonly TreeRoot[];
  readonly naming: TreeNaming;
}

/** 64 KiB a write: as much as a pipe holds. */
const BLOCKS = 128;

/** `tar` to stdout of the names on stdin. Times of reading are left out and headers have no process number, so the same
 *  tree is the same tar (but for files with holes, whose headers have it). Copies come first: folders come after what is in them, and keep their times at a restore. */
export function tar({ copies, roots, naming }: Listed): string[] {
  const transform = transformation(roots, naming);
  return [
    ...['--create', '--file=-', '--format=posix', `--blocking-factor=${BLOCKS}`],
    ...['--numeric-owner', '--acls', '--xattrs', '--sparse', '--no-recursion', '--quoting-style=escape'],
    `--pax-option=exthdr.name=${headerName(roots)},delete=atime,delete=ctime`,
    ...(transform === null ? [] : [`--transform=${transform}`]),
    ...['--null', '--verbatim-files-from', '--no-unquote'],
    ...(copies === null ? [] : [`--directory=${copies.folder}`, `--files-from=${copies.names}`]),
    ...['--directory=/', '--files-from=-'],
  ];
}

/** Of headers that no program shows. `%d` and `%f` are of the place that is read, which is another one in each snapshot. */
const headerName = (roots: readonly TreeRoot[]): string =>
  roots.some(({ snapshot }) => snapshot !== undefined) ? 'PaxHeaders/snapshot' : '%d/PaxHeaders/%f';

/** The name under which a tar has a root. */
export function storedName({ path, folder }: TreeRoot, roots: readonly TreeRoot[], naming: TreeNaming): string {
  const absolute = path === '/' ? '.' : path.slice(1);
  if (naming.style === 'absolute') return absolute;
  const prefix = naming.prefix;
  if (roots.length > 1) return absolute === '.' ? prefix.slice(0, -1) : prefix + absolute;
  return folder ? prefix.slice(0, -1) : prefix + path.slice(path.lastIndexOf('/') + 1);
}

/** A sed expression for names below `/`; targets of symbolic links stay as they are (flags: regular names, hard links).
 *  What is read from a snapshot first gets the name that it has without one. */
function transformation(roots: readonly TreeRoot[], naming: TreeNaming): string | null {
  const back = roots.flatMap((root) =>
    readAt(root) === root.path ? [] : replaceStart(readAt(root), root.path.slice(1)),
  );
  const steps = [...back, ...named(roots, naming)];
  return steps.length === 0 ? null : ['flags=rh', ...steps].join(';');
}

function named(roots: readonly TreeRoot[], naming: TreeNaming): readonly string[] {
  const [only] = roots;
  if (naming.style === 'absolute' || only === undefined) return [];
  if (roots.length === 1 && only.path !== '/') return [replaceStart(only.path, storedName(only, roots, naming))];
  return [replaceStart('/', naming.prefix), 's,/\\.$,,'];
}

/** @param from absolute */
const replaceStart = (from: string, to: string): string =>
  `s,^${from.slice(1).replaceAll(/[\\.[*^$,]/g, '\\$&')},${to.replaceAll(/[\\&,]/g, '\\$&')},`;

/** Gives a copy the mode, owner, times, ACL and attributes of what it was copied from. */
export const copyAttributes = (from: string, to: string): string[] => [
  '--attributes-only',
  '--preserve=all',
  '--dereference',
  '--',
  from,
  to,
];
