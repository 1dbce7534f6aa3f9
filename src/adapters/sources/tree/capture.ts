import { randomUUID } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { counted } from '../../../domain/counted.ts';
import { HoldfastError } from '../../../domain/errors.ts';
import type { Tool } from '../../../domain/manifest.ts';
import { printName } from '../../../domain/tree-name.ts';
import { type Host, isBulk } from '../../../ports/host.ts';
import type { Capture, CaptureContext, Captured, CapturedTree, TreeNaming } from '../../../ports/source.ts';
import { countTree } from '../../../streams/tar-facts.ts';
import * as args from './args.ts';
import { copySqlite, findSqlite } from './databases.ts';
import { listen } from './listen.ts';
import { namesWithout } from './names.ts';
import { parseTarLine } from './parse.ts';
import { asWithoutSnapshots, findRoots, isExcluded, printPlace, type Root, realPaths, withSnapshots } from './roots.ts';
import { changedBetween, takeStamps } from './stamps.ts';
import { type Walk, walk } from './walk.ts';

/** Folders and files that are captured as one item. */
export interface Tree {
  readonly item: string;
  readonly source: string;
  readonly kind: string;
  /** Absolute. */
  readonly paths: readonly string[];
  /** Patterns of domain/exclude.ts. */
  readonly exclude: readonly string[];
  readonly crossMounts: boolean;
  /** False where sizes and times do not tell whether something changed. */
  readonly fingerprinted: boolean;
}

/** Walks a tree and opens its capture: nothing of a file has been read yet.
 *  @throws SourceMissing; SourceFailed for what is mounted inside; Refused for what belongs to Holdfast itself */
export async function captureTree(
  tree: Tree,
  context: CaptureContext,
  host: Host,
  signal: AbortSignal,
): Promise<Capture> {
  if (!host.capabilities.localPaths)
    throw new HoldfastError('Unsupported', `Folders on host ${host.name} cannot be read yet.`, tree.item);
  const forbidden = await realPaths([...context.forbidden, context.workspace], host, signal);
  const found = await findRoots(tree.paths, tree.exclude, forbidden, host, signal);
  const roots = withSnapshots(found, context.snapshots ?? []);
  const tool = { name: 'tar', version: await host.version('tar', signal) };
  const folder = join(context.workspace, `${tree.item}-${randomUUID()}`);
  await mkdir(folder, { mode: 0o700 });
  const dispose = (): Promise<void> => rm(folder, { recursive: true, force: true });
  try {
    const { exclude, crossMounts } = tree;
    const walked = await walk({ roots, exclude, forbidden, crossMounts, folder }, host, signal);
    const item = captured({ tree, roots, walked, tool, folder, quiescent: context.quiescent, host });
    return { items: [item], [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw told(error, roots);
  }
}

/** An error about a place in a snapshot names the path instead, which is what a person knows. */
function told(error: unknown, roots: readonly Root[]): unknown {
  if (!(error instanceof HoldfastError)) return error;
  const [message, subject] = [error.message, error.subject].map((text) => asWithoutSnapshots(roots, text));
  if (message === undefined || subject === undefined || message === error.message) return error;
  return new HoldfastError(error.code, message, subject, { cause: error.cause, hint: error.hint });
}

interface Ready {
  readonly tree: Tree;
  readonly roots: readonly Root[];
  readonly walked: Walk;
  readonly tool: Tool;
  readonly folder: string;
  readonly quiescent: boolean;
  readonly host: Host;
}

function captured(ready: Ready): CapturedTree {
  const { tree, roots, walked, tool } = ready;
  let completed: Captured | null = null;
  return {
    type: 'tree',
    name: tree.item,
    source: tree.source,
    kind: tree.kind,
    tool,
    exclude: tree.exclude,
    estimatedBytes: walked.estimatedBytes,
    fingerprint: tree.fingerprinted ? walked.fingerprint : null,
    roots: (naming) =>
      roots.map((root, at) => ({
        path: root.path,
        stored: args.storedName(root, roots, naming),
        files: walked.files[at] ?? 0,
      })),
    async *tar(naming, signal) {
      completed = null;
      try {
        completed = yield* read(ready, naming, signal);
      } catch (error) {
        throw told(error, roots);
      }
    },
    completed() {
      if (completed === null) throw new Error(`${tree.item} was not read to its end`);
      return completed;
    },
  };
}

async function* read(ready: Ready, naming: TreeNaming, signal: AbortSignal): AsyncGenerator<Uint8Array, Captured> {
  const { roots, walked, host } = ready;
  const [warnings, unreadable] = [walked.warnings.copy(), walked.unreadable.copy()];
  const folder = join(ready.folder, randomUUID());
  await mkdir(folder, { mode: 0o700 });
  const copies = await copySqlite(await findSqlite(walked.candidates, signal), folder, warnings, host, signal);
  const watched = ready.quiescent ? [] : [...walked.databases, ...copies.asTheyAre];
  const stamps = () => takeStamps(watched, (path, isFolder) => isExcluded(roots, path, isFolder), signal);
  const before = await stamps();

  const listener = listen(
    'tar',
    parseTarLine,
    { warnings, unreadable },
    roots.map((root) => printPlace(args.readAt(root))),
  );
  const listed = copies.names === null ? null : { folder: copies.folder, names: copies.names };
  const command = { program: 'tar', args: args.tar({ copies: listed, roots, naming }) };
  const input = namesWithout(walked.names, copies.left, signal);
  let facts = {};
  const bulk = isBulk(walked.estimatedBytes);
  yield* countTree(host.read([command], { signal, input, bulk, ...listener.options }), (counted) => {
    facts = counted;
  });
  listener.judge();
  for (const [path, how] of listener.lost)
    if (how === 'gone' || listener.lost.size === roots.length)
      throw new HoldfastError('SourceMissing', `${path} cannot be read, or it vanished meanwhile.`, path);
  refuseChanged(changedBetween(before, await stamps()));
  await rm(folder, { recursive: true, force: true });
  const said = (lines: readonly string[]): readonly string[] => lines.map((line) => asWithoutSnapshots(roots, line));
  return { facts, warnings: said(warnings.list()), unreadable: said(unreadable.list()) };
}

function refuseChanged(changed: readonly Buffer[]): void {
  const [first] = changed;
  if (first === undefined) return;
  const others = changed.length - 1;
  const more = others > 0 ? ` and ${counted(others, 'more file of a database', 'more files of databases')}` : '';
  const message = `${printName(first)}${more} changed while the tree was read: such a copy of a database is corrupt.`;
  throw new HoldfastError('SourceChanged', message, printName(first));
}
