import { messageOf } from '../domain/errors.ts';
import type { Item } from '../domain/manifest.ts';
import { rereadsAlways } from '../domain/reuse.ts';
import type { Draft, Repository } from '../ports/repository.ts';
import type { Capture, CapturedStream, CapturedTree, PathSnapshot, Source } from '../ports/source.ts';
import type { CaptureRequest } from './capture-request.ts';
import type { Context } from './context.ts';
import type { EarlierPoints } from './earlier-points.ts';
import { type ItemNames, itemNames, nameTaken, secondName } from './item-names.ts';
import { type ReadAheadRoom, readAheadRoom } from './read-ahead.ts';
import { type Slots, slots } from './slots.ts';
import type { SourceSnapshots } from './source-snapshots.ts';
import { failedItem, itemFailed, type StoreItemOptions, storeItem } from './store-item.ts';

/** Items that are stored side by side on one host. */
const JOBS = 2;
/** How fast an item is taken to be of which no earlier point says how long it took, in bytes per millisecond. */
const GUESSED_SPEED = 50_000;

export interface CaptureParts {
  readonly request: CaptureRequest;
  readonly repository: Repository;
  readonly draft: Draft;
  readonly earlier: EarlierPoints;
  readonly forbidden: readonly string[];
  readonly snapshots: Pick<SourceSnapshots, 'of'>;
  /** Sources that may change meanwhile although units are down. */
  readonly written: ReadonlyMap<string, string>;
  /** Called once nothing more is read of what the units change; resolves once they were started. */
  release(): Promise<void>;
  /** Called for each item of a source that could not be opened at all. */
  onUnopened(item: string, error: unknown): void;
}

/** Stores the items of all sources, some side by side, those first that took longest the last time. Rows come in the
 *  order of the sources; a failed item is a row and stops no other.
 *  @throws what the repository threw, when another one can still take the point: then the others are ended */
export async function captureSources(
  parts: CaptureParts,
  context: Context,
  signal: AbortSignal,
): Promise<readonly Item[]> {
  const { request, earlier } = parts;
  const giveUp = new AbortController();
  const names = itemNames(request.sources);
  const unread = new Set(request.sources.map(({ name }) => name));
  const onRead = async (source: string): Promise<void> => {
    if (unread.delete(source) && unread.size === 0) await parts.release();
  };
  const latest = await earlier.latest();
  const surroundings = { slots: slots(request.jobs ?? JOBS), room: readAheadRoom(), latest, names, giveUp, onRead };
  const held = request.sources.filter(({ name }) => isHeld(parts.snapshots.of(name)));
  for (const { name } of held) unread.delete(name);
  // they are started before the processors are busy
  if (unread.size === 0) await parts.release();
  const working = AbortSignal.any([signal, giveUp.signal]);
  const captures = request.sources.map((source, index) =>
    captureSource(source, index, { ...parts, ...surroundings }, context, working),
  );
  const ended = await Promise.allSettled(captures);
  working.throwIfAborted();
  return ended.flatMap((one) => {
    if (one.status === 'rejected') throw one.reason;
    return one.value;
  });
}

/** Whether all that is read of a source is in snapshots. */
const isHeld = (snapshots: readonly PathSnapshot[]): boolean =>
  snapshots.length > 0 && snapshots.every(({ identical }) => identical);

interface Surroundings extends CaptureParts {
  readonly slots: Slots;
  /** Shared by all that is read while units are down. */
  readonly room: ReadAheadRoom;
  /** Items of the newest point: what they took. */
  readonly latest: readonly Item[];
  readonly names: ItemNames;
  /** Called with a source of which nothing more is read where it is; after the last one it resolves once the units
   *  were started. */
  readonly onRead: (source: string) => Promise<void>;
  /** Aborted with what the repository threw. */
  readonly giveUp: AbortController;
}

/** Stores the items of one source; those that fail, and all of a source that cannot be opened, are rows too. */
async function captureSource(
  source: Source,
  index: number,
  surroundings: Surroundings,
  context: Context,
  signal: AbortSignal,
): Promise<readonly Item[]> {
  const { request, draft, forbidden, snapshots, written, latest, names, onRead, onUnopened } = surroundings;
  const { name } = source;
  const items: Item[] = [];
  const fail = failureTeller(source, items, context);
  const own = snapshots.of(name);
  try {
    if (request.unprepared?.has(name) === true) throw request.unprepared.get(name);
    const quiescent = isAnyStopped(request) && !written.has(name);
    const open = async (): Promise<Capture> => {
      signal.throwIfAborted();
      return await source.capture({ workspace: draft.workspace, forbidden, quiescent, snapshots: own }, signal);
    };
    const before = latest.filter((item) => item.source === name);
    const longestMs = Math.max(0, ...before.map(({ durationMs }) => durationMs));
    // units wait for the walk of what is in a copy, and no walk waits for what others store
    const isCopied = own.length > 0 && !isHeld(own);
    await using captured = await (isCopied ? open() : placeFor(source, surroundings)(longestMs, open));
    if (isCopied) await onRead(name);
    const chosen = captured.items.filter((item) => request.wants?.(source, item.name) ?? true);
    const taken = await names.claim(
      index,
      chosen.map((item) => item.name),
    );
    for (const [item, other] of taken) fail(secondName(item, name), nameTaken(item, name, other));
    const free = chosen.filter((item) => !taken.has(item.name));
    // What a capture made is removed once nobody reads it any more.
    items.push(...(await storeAll(free, source, surroundings, context, signal)));
    signal.throwIfAborted();
  } catch (error) {
    signal.throwIfAborted();
    const missing = source.itemNames.filter((item) => items.every((row) => row.name !== item));
    for (const item of missing) {
      fail(item, error);
      onUnopened(item, error);
    }
    // Everything is stored and only the clean-up failed: what it left behind has to be known.
    if (missing.length === 0) context.progress({ type: 'warning', subject: name, text: messageOf(error) });
  } finally {
    void onRead(name);
    void names.claim(index, []); // nobody waits for a source that failed
  }
  return items;
}

const isAnyStopped = ({ units, unitsForGood = [] }: CaptureRequest): boolean => units.length + unitsForGood.length > 0;

/** Adds rows to `items` of what failed before anything of it was stored, and tells of each. */
function failureTeller(
  { name: source, kind }: Source,
  items: Item[],
  { clock, progress }: Pick<Context, 'clock' | 'progress'>,
): (item: string, error: unknown) => void {
  const from = clock.monotonicMs();
  const readAt = clock.now().toString({ smallestUnit: 'millisecond' });
  return (name, error) => {
    const durationMs = Math.round(clock.monotonicMs() - from);
    items.push(failedItem({ name, source, kind, tool: null }, error, { size: 0, durationMs, readAt }));
    progress(itemFailed(name, error));
  };
}

/** Where the work of a source waits for its turn; nowhere for a dump that waits for its server before it works. Who asks
 *  for so many at a time means all of them. */
const placeFor = ({ capabilities }: Source, { request, slots }: Surroundings): Slots['run'] =>
  capabilities.waits === true && request.jobs === undefined ? (_, work) => work() : slots.run;

/** Stores items side by side, and answers with the rows of those that the repository took or that failed by themselves.
 *  What the repository throws ends all that is captured: it aborts `giveUp`. */
async function storeAll(
  items: readonly (CapturedStream | CapturedTree)[],
  source: Source,
  surroundings: Surroundings,
  context: Context,
  signal: AbortSignal,
): Promise<readonly Item[]> {
  const { request, draft, repository, earlier, snapshots, room, latest, giveUp, onRead } = surroundings;
  const definition = request.service.sources.find(({ name }) => name === source.name);
  let unread = items.length;
  const options: StoreItemOptions = {
    service: request.service.name,
    draft,
    repository,
    earlier,
    reread: rereadsAlways(definition?.settings),
    lossAccepted: request.lossAccepted,
    giveUpOnRepositoryFailure: request.anotherRepository,
    ahead: isAnyStopped(request) && snapshots.of(source.name).length === 0 ? room : null,
    onRead: async () => {
      unread -= 1;
      if (unread === 0) await onRead(source.name);
    },
  };
  const inTurn = placeFor(source, surroundings);
  const store = async (item: CapturedStream | CapturedTree): Promise<Item> => {
    const tookMs = latest.find(({ name }) => name === item.name)?.durationMs;
    return await inTurn(tookMs ?? (item.estimatedBytes ?? 0) / GUESSED_SPEED, async () => {
      signal.throwIfAborted();
      return await storeItem(item, options, context, signal);
    });
  };
  const storing = items.map((item) =>
    store(item).catch((error: unknown) => {
      giveUp.abort(error); // after the signal's own reason it changes nothing
      throw error;
    }),
  );
  const ended = await Promise.allSettled(storing);
  return ended.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
}
