import { isUtf8 } from 'node:buffer';
import { HoldfastError } from '../../../domain/errors.ts';
import {
  type Excluded,
  excludedBelow,
  excludedWithParents,
  type Pattern,
  parsePattern,
} from '../../../domain/exclude.ts';
import { printName } from '../../../domain/tree-name.ts';
import type { Host } from '../../../ports/host.ts';
import type { PathSnapshot } from '../../../ports/source.ts';
import type { TreeRoot } from './args.ts';

/** A root with what is known of it before it is walked. */
export interface Root extends TreeRoot {
  /** Without any link in it: what mounts and forbidden paths are compared with. */
  readonly real: string;
  readonly excluded: Excluded;
}

const isWithin = (path: string, folder: string): boolean =>
  path === folder || path.startsWith(folder === '/' ? '/' : `${folder}/`);
/** `path` below `folder`, without a slash at its beginning. */
const below = (path: string, folder: string): string => path.slice(folder === '/' ? 1 : folder.length + 1);

/** A place as programs name it that read it. */
export const printPlace = (path: string): string => printName(Buffer.from(path));

/** The same roots, those that snapshots have read from there. */
export const withSnapshots = (roots: readonly Root[], snapshots: readonly PathSnapshot[]): readonly Root[] =>
  roots.map((root) => ({ ...root, snapshot: snapshots.find(({ path }) => path === root.real) }));

/** Words about what was read in a snapshot, as if it were read without one. */
export function asWithoutSnapshots(roots: readonly TreeRoot[], text: string): string {
  let words = text;
  for (const { path, snapshot } of roots)
    if (snapshot !== undefined) words = words.replaceAll(printPlace(snapshot.at), () => printPlace(path));
  return words;
}

/** Looks at the configured paths. A path that is a link is followed, and its target is what is captured; one that lies
 *  inside another and is captured with it is left out of the list.
 *  @throws SourceMissing; Refused for a path inside of `forbidden` */
export async function findRoots(
  paths: readonly string[],
  exclude: readonly string[],
  forbidden: readonly string[],
  host: Host,
  signal: AbortSignal,
): Promise<readonly Root[]> {
  const patterns = exclude.map(parsePattern);
  const found: Root[] = [];
  for (const path of paths) found.push(await findRoot(path, patterns, host, signal));
  for (const { path, real } of found) {
    const own = forbidden.find((folder) => isWithin(real, folder));
    if (own !== undefined)
      throw new HoldfastError('Refused', `${path} lies in ${own}, which belongs to Holdfast itself.`, path);
  }
  return found.filter((root, place) => !found.some((other, at) => holds(other, root, at < place)));
}

async function findRoot(text: string, patterns: readonly Pattern[], host: Host, signal: AbortSignal): Promise<Root> {
  const configured = text.replaceAll(/\/{2,}/g, '/').replace(/(?<=.)\/$/, '');
  const status = await host.files.status(configured, signal);
  if (status === null) throw missing(text);
  const real = await host.files.realPath(configured, signal);
  const path = status.type === 'link' ? real : configured;
  const kind = status.type === 'link' ? (await host.files.status(real, signal))?.type : status.type;
  if (kind === undefined) throw missing(text);
  return { path, real, folder: kind === 'directory', excluded: excludedBelow(patterns, path, configured) };
}

const missing = (path: string): HoldfastError => new HoldfastError('SourceMissing', `${path} does not exist.`, path);

function holds(outer: Root, inner: Root, earlier: boolean): boolean {
  if (outer === inner) return false;
  if (outer.real === inner.real) return earlier;
  return (
    outer.folder &&
    isWithin(inner.real, outer.real) &&
    !excludedWithParents(outer.excluded, below(inner.real, outer.real), inner.folder)
  );
}

/** Paths of `others` that lie inside a root and are not left out, as the root's own path says them. */
export function inside(root: Root, others: readonly string[]): readonly string[] {
  const strictly = others.filter((other) => other !== root.real && isWithin(other, root.real));
  return strictly
    .map((other) => below(other, root.real))
    .filter((path) => !excludedWithParents(root.excluded, path, true))
    .map((path) => `${root.path === '/' ? '' : root.path}/${path}`);
}

/** Where these paths really are; those that do not exist yet stay as they are. */
export async function realPaths(paths: readonly string[], host: Host, signal: AbortSignal): Promise<readonly string[]> {
  return Promise.all(
    paths.map(async (path) =>
      (await host.files.status(path, signal)) === null ? path : await host.files.realPath(path, signal),
    ),
  );
}

/** The same question for any path of bytes: of a name that is not UTF-8 each byte is a character. */
export function isExcluded(roots: readonly Root[], path: Buffer, folder: boolean): boolean {
  const text = path.toString(isUtf8(path) ? 'utf8' : 'latin1');
  const root = roots.find((candidate) => candidate.path !== text && isWithin(text, candidate.path));
  return root?.excluded(below(text, root.path), folder) ?? false;
}
