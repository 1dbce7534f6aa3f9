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
import { failedItem, itemFailed, storeItem } from './store-item.ts';

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

async function captureSource(
  source: Source,
  index: number,
  {
    request,
    repository,
    draft,
    earlier,
    forbidden,
    snapshots,
    written,
    slots,
    room,
    latest,
    names,
    giveUp,
    onRead,
    onUnopened,
  }: Surroundings,
  context: Context,
  signal: AbortSignal,
): Promise<readonly Item[]> {
  const { lossAccepted, anotherRepository } = request;
  const reread = rereadsAlways(request.service.sources[index]?.settings);
  const service = request.service.name;
  const giveUpOnRepositoryFailure = anotherRepository;
  const own = snapshots.of(source.name);
  const stopped = request.units.length + (request.unitsForGood?.length ?? 0) > 0;
  const ahead = stopped && own.length === 0 ? room : null;
  const options = { service, draft, repository, earlier, reread, lossAccepted, giveUpOnRepositoryFailure, ahead };
  const tookMs = (name: string): number | undefined => latest.find((item) => item.name === name)?.durationMs;
  const before = latest.filter((item) => item.source === source.name);
  const longestMs = Math.max(0, ...before.map(({ durationMs }) => durationMs));
  const from = context.clock.monotonicMs();
  const readAt = context.clock.now().toString({ smallestUnit: 'millisecond' });
  const items: Item[] = [];
  const { name, kind } = source;
  const seen = () => ({ size: 0, durationMs: Math.round(context.clock.monotonicMs() - from), readAt });
  const fail = (item: string, error: unknown): void => {
    items.push(failedItem({ name: item, source: name, kind, tool: null }, error, seen()));
    context.progress(itemFailed(item, error));
  };
  // Who asks for so many at a time means all of them.
  const apart = source.capabilities.waits === true && request.jobs === undefined;
  const besideOthers: Slots['run'] = (expectedMs, work) => (apart ? work() : slots.run(expectedMs, work));
  /** Items that are still to be read; none is known before the capture is open. */
  let unread = Number.POSITIVE_INFINITY;
  async function store(item: CapturedStream | CapturedTree): Promise<Item> {
    const onItemRead = async (): Promise<void> => {
      unread -= 1;
      if (unread === 0) await onRead(name);
    };
    const expectedMs = tookMs(item.name) ?? (item.estimatedBytes ?? 0) / GUESSED_SPEED;
    return await besideOthers(expectedMs, async () => {
      signal.throwIfAborted();
      return await storeItem(item, { ...options, onRead: onItemRead }, context, signal);
    });
  }
  try {
    if (request.unprepared?.has(source.name) === true) throw request.unprepared.get(source.name);
    const wanted = {
      workspace: draft.workspace,
      forbidden,
      quiescent: stopped && !written.has(name),
      snapshots: own,
    };
    const open = async (): Promise<Capture> => {
      signal.throwIfAborted();
      return await source.capture(wanted, signal);
    };
    // units wait for the walk of what is in a copy, and no walk waits for what others store
    const isCopied = own.length > 0 && !isHeld(own);
    await using captured = await (isCopied ? open() : besideOthers(longestMs, open));
    if (isCopied) await onRead(name);
    const chosen = captured.items.filter((item) => request.wants?.(source, item.name) ?? true);
    const all = chosen.map((item) => item.name);
    const taken = await names.claim(index, all);
    for (const [item, other] of taken) fail(secondName(item, name), nameTaken(item, name, other));
    const free = chosen.filter((item) => !taken.has(item.name));
    unread = free.length;
    const storing = free.map((item) =>
      store(item).catch((error: unknown) => {
        giveUp.abort(error); // after the signal's own reason it changes nothing
        throw error;
      }),
    );
    // What a capture made is removed once nobody reads it any more.
    for (const one of await Promise.allSettled(storing)) if (one.status === 'fulfilled') items.push(one.value);
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
