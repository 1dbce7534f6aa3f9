import { isAbsolute } from 'node:path';
import { HoldfastError } from '../domain/errors.ts';
import type { JournalEntry } from '../journal/entry.ts';
import type { Step } from '../journal/step.ts';
import type { MadeOutside, Scratch, ScratchPlace } from '../ports/scratch.ts';
import type { DrillContext } from './drill-context.ts';
import { type Drilling, giveUp } from './drill-items.ts';
import { liveSockets } from './live-sockets.ts';
import { merge, UNRECORDED } from './restore-merge.ts';

/** What was made for one drill, and is gone after it. */
export interface Scene {
  readonly place: ScratchPlace;
  /** What HOLDFAST_RESTORED names. */
  readonly restored: string;
}

/** Makes the folder of a drill, in which all that it makes will be. Once the entry is taken back, it is gone. */
export async function makeScene(
  base: string,
  entry: JournalEntry,
  { host: open, identifiers, clock, scratchPlace, services }: DrillContext,
  signal: AbortSignal,
): Promise<Scene> {
  const { name, files } = await open('local');
  const path = `${await files.realPath(base, signal)}/holdfast-drill-${identifiers.next(clock.now())}`;
  const restored = `${path}/restored`;
  await entry.step({ kind: 'scratch-made', host: name, path }, async () => {
    await files.makeFolder(path, 0o711, signal); // accounts of servers pass through to their own folders
    await files.makeFolder(restored, 0o700, signal);
  });
  const keep: ScratchPlace['keep'] = (made, make) => entry.step(stepOf(made, name), make);
  return { place: await scratchPlace(path, keep, liveSockets(services), signal), restored };
}

const stepOf = (made: MadeOutside, host: string): Step =>
  made.kind === 'container'
    ? { kind: 'container-made', host, name: made.name }
    : { ...made, kind: 'database-made', drill: true };

/** @throws Usage for a folder that is not absolute; PathUnusable when it is none */
export async function confirmScratchFolder(
  path: string,
  context: Pick<DrillContext, 'host'>,
  signal: AbortSignal,
): Promise<void> {
  if (!isAbsolute(path)) throw new HoldfastError('Usage', `${path} is no absolute path.`, path);
  const found = await (await context.host('local')).files.status(path, signal);
  if (found?.type !== 'directory')
    throw new HoldfastError('PathUnusable', `Scratch instances are made in ${path}, which is no folder.`, path, {
      hint: 'Choose another one: --scratch DIR',
    });
}

/** Says of each item where it goes: into a server of its source, started here, or into a folder of its own. One that
 *  cannot be had leaves its items untold and keeps no other from being drilled. */
export async function openInstances(
  service: string,
  drilled: readonly Drilling[],
  { place }: Scene,
  opened: AsyncDisposableStack,
  context: Pick<DrillContext, 'scratch'>,
  signal: AbortSignal,
): Promise<number> {
  let instances = 0;
  for (const source of new Set(drilled.map(({ choice }) => choice.source))) {
    const own = drilled.filter(({ choice }) => choice.source === source);
    const folder = `${place.folder}/${++instances}`;
    try {
      const at = { ...place, folder, name: `${place.name}-${instances}` };
      const scratch = await openOne({ service, source }, own, at, context, signal);
      if (scratch !== null) opened.use(scratch);
      for (const [index, one] of own.entries()) {
        one.scratch = scratch;
        one.folder = scratch === null ? `${folder}/${index}` : null;
        if (one.folder !== null) await place.host.files.makeFolder(one.folder, 0o700, signal);
      }
    } catch (error) {
      signal.throwIfAborted();
      for (const one of own) giveUp(one, unusable(error));
    }
  }
  return instances;
}

/** Before anything is restored a program that fails tells nothing of the point. */
const unusable = (error: unknown): unknown =>
  error instanceof HoldfastError && error.code === 'ProcessFailed'
    ? new HoldfastError('ScratchUnusable', error.message, error.subject, { cause: error, hint: error.hint })
    : error;

async function openOne(
  { service, source }: { readonly service: string; readonly source: string },
  own: readonly Drilling[],
  place: ScratchPlace,
  context: Pick<DrillContext, 'scratch'>,
  signal: AbortSignal,
): Promise<Scratch | null> {
  await place.host.files.makeFolder(place.folder, 0o700, signal);
  const [first] = own;
  const way = first === undefined ? null : await context.scratch(first.choice.item.kind, service, source);
  const items = own.map(({ choice }) => choice.item);
  return way && (await way.open(source, items, place, signal));
}

/** Joins what was written as files, each item counted already, into the folder that checks are shown. */
export async function gatherRestored(
  drilled: readonly Drilling[],
  { place, restored }: Scene,
  signal: AbortSignal,
): Promise<void> {
  for (const [index, one] of drilled.entries()) {
    if (one.folder === null) continue;
    const displaced = `${place.folder}/doubled-${index}`;
    await place.host.files.makeFolder(displaced, 0o700, signal);
    const parts = { host: place.host, journal: UNRECORDED, overwrite: 'always', displaced } as const;
    await merge(one.folder, restored, parts, signal);
    one.folder = restored;
  }
}
