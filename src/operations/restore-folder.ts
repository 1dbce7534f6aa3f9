import { HoldfastError } from '../domain/errors.ts';
import { isBelow } from '../domain/tree-path.ts';
import type { JournalEntry } from '../journal/entry.ts';
import type { Host, HostFiles } from '../ports/host.ts';
import type { Context } from './context.ts';
import type { SelectedPoint } from './point-selection.ts';
import type { Choice } from './restore-choice.ts';
import { type Conflicts, refuseConflicts } from './restore-conflicts.ts';
import { extract } from './restore-extract.ts';
import { merge, UNRECORDED } from './restore-merge.ts';
import type { Overwrite, RestoredItem } from './restore-request.ts';
import { type Place, refuseFullDisk } from './restore-space.ts';

/** How a restore to a folder will go, found out without writing anything. */
export interface FolderPlan {
  readonly host: Host;
  /** The folder with its links followed. */
  readonly folder: string;
  /** Its nearest folder that is there, as the beginning of a longer path: empty for the root. */
  readonly base: string;
  /** The folders that are not there, the topmost first; the last one is `folder`. */
  readonly missing: readonly string[];
  /** Beside the topmost of them, or in the folder that exists: on its file system in any case. */
  readonly stage: string;
  readonly overwrite: Overwrite | undefined;
  readonly choices: readonly Choice[];
  readonly conflicts: Conflicts;
}

interface FolderTarget {
  readonly path: string;
  readonly overwrite?: Overwrite | undefined;
}

/** @throws TargetExists, NoSpace, Refused before anything is written */
export async function planFolder(
  { path, overwrite }: FolderTarget,
  choices: readonly Choice[],
  selected: SelectedPoint,
  parts: { readonly id: string; readonly context: Pick<Context, 'host' | 'forbiddenPaths'> },
  signal: AbortSignal,
): Promise<FolderPlan> {
  const host = await parts.context.host('local');
  const place = await placeOf(path, host.files, signal);
  await refuseOwnFolder([place.base, ...place.missing].join('/'), parts.context.forbiddenPaths, host.files, signal);
  const stage = `${place.base}/.holdfast-restore-${parts.id.toLowerCase()}`;
  await refuseFullDisk(choices, place, host.files, signal);
  const ports = { files: host.files, selected };
  const { base, missing } = place;
  const conflicts =
    missing.length === 0
      ? await refuseConflicts(place.existing, choices, overwrite, ports, signal)
      : { shown: [], count: 0 };
  const folder = [base, ...missing].join('/');
  return { host, folder, base, missing, stage, overwrite, choices, conflicts };
}

/** What a repository or the state folder holds is judged by its names and places: nothing else belongs there. */
async function refuseOwnFolder(
  target: string,
  own: readonly string[],
  files: HostFiles,
  signal: AbortSignal,
): Promise<void> {
  for (const folder of own) {
    if ((await files.status(folder, signal)) === null) continue;
    if (!isBelow(target, await files.realPath(folder, signal))) continue;
    const words = `${target} lies in ${folder}, which belongs to Holdfast itself.`;
    throw new HoldfastError('Refused', words, target, { hint: 'Nothing was changed. Choose a folder outside of it' });
  }
}

interface TargetPlace extends Place {
  /** `existing` as the beginning of a longer path: empty for the root. */
  readonly base: string;
  readonly missing: readonly string[];
}

/** Links in the folder's own path are the user's words and are followed; nothing below it ever is. */
async function placeOf(path: string, files: HostFiles, signal: AbortSignal): Promise<TargetPlace> {
  const missing: string[] = [];
  let there = path.replace(/(.)\/+$/, '$1');
  while ((await files.status(there, signal)) === null) {
    const cut = there.lastIndexOf('/');
    missing.unshift(there.slice(cut + 1));
    there = there.slice(0, cut) || '/';
  }
  const existing = await files.realPath(there, signal);
  if ((await files.status(existing, signal))?.type !== 'directory') {
    throw new HoldfastError('TargetExists', `${existing} is no folder.`, existing, { hint: 'Choose another folder' });
  }
  return { existing, base: existing === '/' ? '' : existing, missing };
}

export interface RestoreParts {
  readonly selected: SelectedPoint;
  readonly context: Pick<Context, 'format' | 'progress'>;
  /** Closed when this resolves. */
  readonly journal: JournalEntry;
}

export interface FolderResult {
  readonly items: readonly RestoredItem[];
  readonly replaced: number;
  readonly skipped: number;
}

/** Restores beside the target, proves, then moves into place. Until the last move a failure leaves the target as it was.
 *  With `keepPartial` what was written until a failure is kept, and the error's hint names it. */
export async function restoreToFolder(
  plan: FolderPlan,
  keepPartial: boolean,
  parts: RestoreParts,
  signal: AbortSignal,
): Promise<FolderResult> {
  const { host, stage, base, missing } = plan;
  const { journal } = parts;
  const { files } = host;
  const made = { kind: 'path-made', host: host.name, path: stage } as const;
  await journal.step(made, () => files.makeFolder(stage, 0o700, signal));
  const top = `${stage}/restored`;
  const displaced = `${stage}/displaced`;
  let items: readonly RestoredItem[];
  try {
    await files.makeFolder(displaced, 0o700, signal);
    items = await extractAll(plan, await makeChain(top, missing.slice(1), files, signal), parts, signal);
  } catch (error) {
    if (!keepPartial) throw error;
    throw await keep(plan, error);
  }
  let moved = { replaced: 0, skipped: 0 };
  if (missing.length === 0) {
    moved = await merge(top, base, { host, journal, overwrite: plan.overwrite, displaced }, signal);
  } else {
    const to = `${base}/${missing[0]}`; // one rename makes the folder and all that is missing above it
    await journal.step({ kind: 'path-renamed', host: host.name, from: top, to }, () => files.rename(top, to, signal));
  }
  // What was replaced goes with the stage: by then the bytes that came in its place must be on the disk.
  if (moved.replaced > 0) await host.run({ program: 'sync', args: ['--file-system', '--', stage] }, { signal });
  await journal.forwardOnly([{ kind: 'path-removed', host: host.name, path: stage }]);
  await files.remove(stage, signal);
  await journal.done();
  return { items, ...moved };
}

/** Makes a folder and those in it; the innermost, which is filled, opens for this account alone. */
async function makeChain(
  top: string,
  names: readonly string[],
  files: HostFiles,
  signal: AbortSignal,
): Promise<string> {
  let path = top;
  for (const name of names) {
    await files.makeFolder(path, 0o755, signal);
    path = `${path}/${name}`;
  }
  await files.makeFolder(path, 0o700, signal);
  return path;
}

/** Each item is written into a stage of its own, so that its facts can be counted, and then joined with the others. */
async function extractAll(
  { host, stage, folder, choices }: FolderPlan,
  restored: string,
  { selected, context }: RestoreParts,
  signal: AbortSignal,
): Promise<readonly RestoredItem[]> {
  const items: RestoredItem[] = [];
  for (const [index, choice] of choices.entries()) {
    const own = choices.length === 1 ? restored : `${stage}/item-${index}`;
    await host.files.makeFolder(own, 0o700, signal);
    const extracted = await extract({ choice, selected, host, stage: own, context }, signal);
    await dateDump(choice, own, host, signal);
    const roots = choice.item?.roots?.map(({ stored }) => stored) ?? (await host.files.list(own, signal));
    const names = choice.path === null ? roots : [choice.path];
    if (own !== restored) {
      const displaced = `${stage}/doubled-${index}`;
      await host.files.makeFolder(displaced, 0o700, signal);
      await merge(own, restored, { host, journal: UNRECORDED, overwrite: 'always', displaced }, signal);
    }
    items.push({ name: choice.name, paths: names.map((name) => `${folder}/${name}`), ...extracted });
  }
  return items;
}

/** A dump is as old as its bytes, as `ls` says: else `--overwrite if-newer` would take every one for the newer file. */
async function dateDump({ tree, file, item }: Choice, folder: string, host: Host, signal: AbortSignal): Promise<void> {
  if (tree || file === null || item === null) return;
  const seconds = Math.floor(Temporal.Instant.from(item.readAt).epochMilliseconds / 1000);
  await host.run({ program: 'touch', args: ['-d', `@${seconds}`, '--', `${folder}/${file}`] }, { signal });
}

const KEEP_LIMIT_MS = 30_000;

/** Moved out of the stage, which is removed when the journal takes its steps back. */
async function keep({ host, stage }: FolderPlan, error: unknown): Promise<unknown> {
  const kept = stage.replace('.holdfast-restore-', '.holdfast-partial-');
  const signal = AbortSignal.timeout(KEEP_LIMIT_MS); // the caller's is aborted when Ctrl-C was the failure
  await host.files.rename(stage, kept, signal);
  const hint = `What was restored until then is in ${kept}; nothing of it is proved`;
  if (error instanceof HoldfastError) {
    return new HoldfastError(error.code, error.message, error.subject, { cause: error, hint });
  }
  return new HoldfastError('NothingDone', String(error), kept, { cause: error, hint });
}
