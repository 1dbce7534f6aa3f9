import { emptiedPaths } from '../domain/anomaly.ts';
import { HoldfastError, messageOf } from '../domain/errors.ts';
import type { Item } from '../domain/manifest.ts';
import { mayReuse } from '../domain/reuse.ts';
import type { ProgressEvent } from '../ports/progress.ts';
import type { Draft, Repository } from '../ports/repository.ts';
import type { Captured, CapturedStream, CapturedTree } from '../ports/source.ts';
import type { Context } from './context.ts';
import type { EarlierItem, EarlierPoints } from './earlier-points.ts';
import { type ReadAheadRoom, readAhead } from './read-ahead.ts';
import { watched } from './watched-item.ts';

export interface StoreItemOptions {
  /** Its name. */
  readonly service: string;
  readonly draft: Draft;
  readonly repository: Repository;
  readonly earlier: EarlierPoints;
  /** Read it whole even when it seems unchanged. */
  readonly reread: boolean;
  /** A path that had files may have none. */
  readonly lossAccepted: boolean;
  /** When the repository fails and not the producer, the whole point is given up: another repository can still take it. */
  readonly giveUpOnRepositoryFailure: boolean;
  /** Where a tree is read ahead of what packs it: something is down until it is read. Null when nothing is. */
  readonly ahead: ReadAheadRoom | null;
  /** Called once nothing more of the item is read, whatever becomes of it. What resolves then is waited for before the
   *  item is synced: what starts by then has the disk to itself. */
  readonly onRead: () => Promise<void>;
}

type Ports = Pick<Context, 'clock' | 'progress' | 'host'>;

/** Stores one captured item and answers with its row in the manifest; a failure is a row too.
 *  @throws what the repository threw, when `giveUpOnRepositoryFailure`; the signal's reason */
export async function storeItem(
  captured: CapturedStream | CapturedTree,
  options: StoreItemOptions,
  context: Ports,
  signal: AbortSignal,
): Promise<Item> {
  let told: Promise<void> | null = null;
  const onRead = (): Promise<void> => {
    told ??= options.onRead();
    return told;
  };
  try {
    return await store(captured, { ...options, onRead }, context, signal);
  } finally {
    void onRead(); // an item that is not read to its end
  }
}

async function store(
  captured: CapturedStream | CapturedTree,
  options: StoreItemOptions,
  { clock, progress, host }: Ports,
  signal: AbortSignal,
): Promise<Item> {
  const { service, draft, earlier, lossAccepted } = options;
  const from = clock.monotonicMs();
  const readAt = clock.now().toString({ smallestUnit: 'millisecond' });
  const subject = captured.name;
  progress({ type: 'item-started', subject, totalBytes: captured.estimatedBytes });
  const durationMs = (): number => Math.round(clock.monotonicMs() - from);
  const reference = await earlier.reference(captured.name);
  const reused = await reuse(captured, options, clock.now(), signal);
  if (reused !== null) {
    progress({ type: 'item-finished', subject, outcome: reused.outcome, detail: `unchanged since ${reused.readAt}` });
    return { ...reused, durationMs: durationMs() };
  }
  const refuseLoss = (found: Captured): void => {
    if (!lossAccepted && reference !== null) refuseEmptied(service, reference.item, found);
  };
  const onAdvance = (bytes: number): void => progress({ type: 'item-advanced', subject, bytes });
  const accept = async (found: Captured): Promise<void> => {
    refuseLoss(found);
    await options.onRead();
  };
  const { item, watch } = watched(hurried(captured, options), accept, onAdvance);
  try {
    if (!lossAccepted && reference !== null && item.type === 'tree') refuseEmptiedPaths(service, reference.item, item);
    await lookAtSpace(item.estimatedBytes, reference, options, { progress, host }, subject, signal);
    const stored = await (item.type === 'stream' ? draft.putStream(item, signal) : draft.putTree(item, signal));
    const { facts, warnings, unreadable } = item.completed();
    const row: Item = {
      ...identityOf(item),
      ...stored,
      durationMs: durationMs(),
      outcome: unreadable.length > 0 ? 'partial' : 'passed',
      error: unreadable.length > 0 ? `Not readable: ${unreadable.join(', ')}` : null,
      warnings: [...warnings],
      facts,
      readAt,
    };
    progress({ type: 'item-finished', subject, outcome: row.outcome, detail: row.error ?? '' });
    return row;
  } catch (error) {
    signal.throwIfAborted();
    const repositoryFailed = watch.producerError === null && !(error instanceof ItemRefused);
    if (repositoryFailed && options.giveUpOnRepositoryFailure) throw error;
    progress(itemFailed(subject, error));
    return failedItem(identityOf(item), error, { size: watch.bytes, durationMs: durationMs(), readAt });
  }
}

function hurried(
  item: CapturedStream | CapturedTree,
  { ahead, onRead }: StoreItemOptions,
): CapturedStream | CapturedTree {
  if (ahead === null || item.type === 'stream') return item;
  return { ...item, tar: (naming, signal) => readAhead((until) => item.tar(naming, until), signal, ahead, onRead) };
}

/** How a failed item is told: a manifest has its error, and no room for what to do about it. */
export const itemFailed = (subject: string, error: unknown): ProgressEvent => ({
  type: 'item-finished',
  subject,
  outcome: 'failed',
  detail: messageOf(error),
  ...(error instanceof HoldfastError ? { hint: error.hint } : {}),
});

type ItemIdentity = Pick<Item, 'name' | 'source' | 'kind' | 'tool' | 'packed' | 'exclude' | 'fingerprint'>;

function identityOf(item: CapturedStream | CapturedTree): ItemIdentity {
  const { name, source, kind, tool } = item;
  if (item.type === 'stream') return { name, source, kind, tool, ...(item.compressed ? { packed: true } : {}) };
  const { exclude, fingerprint } = item;
  return { name, source, kind, tool, exclude: [...exclude], ...(fingerprint === null ? {} : { fingerprint }) };
}

/** The row of an item of which nothing is stored. `size`: plain bytes that were read. */
export function failedItem(
  identity: ItemIdentity,
  error: unknown,
  seen: Pick<Item, 'size' | 'durationMs' | 'readAt'>,
): Item {
  const { fingerprint: _, ...named } = identity;
  return {
    ...named,
    ...seen,
    originalSize: null,
    sha256: null,
    originalSha256: null,
    outcome: 'failed',
    error: messageOf(error),
    warnings: [],
    facts: {},
    compression: 'none',
    encryption: null,
  };
}

/** What is wrong with the item itself, found before or after its bytes: no fault of the repository. */
class ItemRefused extends HoldfastError {}

function refuseEmptied(service: string, { name, facts }: Item, captured: Captured): void {
  if ((facts.files ?? 0) === 0 || captured.facts.files !== 0) return;
  throw new ItemRefused('SourceMissing', `${name} had ${facts.files} files and has none. ${lossAdvice(service)}`, name);
}

function refuseEmptiedPaths(service: string, { name, roots }: Item, item: CapturedTree): void {
  const emptied = emptiedPaths(roots ?? [], item.roots({ style: 'absolute' }));
  if (emptied.length === 0) return;
  throw new ItemRefused('SourceMissing', `${emptied.join(', ')} had files and has none. ${lossAdvice(service)}`, name);
}

/** Stands in the item's row, which has no place for a hint. */
const lossAdvice = (service: string): string =>
  `When it is meant to be empty: holdfast backup ${service} --accept-loss ${service}`;

/** The item of an earlier point once more, when nothing of the tree has changed and the repository can. */
async function reuse(
  item: CapturedStream | CapturedTree,
  { draft, repository, earlier, reread }: StoreItemOptions,
  now: Temporal.Instant,
  signal: AbortSignal,
): Promise<Item | null> {
  if (item.type === 'stream' || item.fingerprint === null || reread || !repository.capabilities.reuse) return null;
  const found = await earlier.whole(item.name);
  if (found === null || found.item.kind !== item.kind || !mayReuse(item.fingerprint, found.item, now)) return null;
  const stored = await draft.reuse(item.name, found.point, signal);
  return stored === null ? null : { ...found.item, ...stored, exclude: [...item.exclude] };
}

/** Ends an item early that cannot fit. What it will take is known from how well it packed before, or where it is gathered
 *  plainly first; where that is not known it is only said, because it may pack well. */
async function lookAtSpace(
  estimated: number | null,
  reference: EarlierItem | null,
  { draft, repository }: StoreItemOptions,
  { progress, host }: Pick<Context, 'progress' | 'host'>,
  subject: string,
  signal: AbortSignal,
): Promise<void> {
  if (estimated === null || repository.capabilities.local === null) return;
  const free = await (await host('local')).files.freeBytes(draft.workspace, signal);
  const plain = reference?.item.originalSize ?? 0;
  const packed = reference !== null && plain > 0 ? Math.round((estimated * reference.item.size) / plain) : null;
  const { gathers } = repository.capabilities;
  const expected = gathers ? estimated + (packed ?? 0) : packed;
  const words = `${expected ?? estimated} bytes are expected, and ${repository.name} has ${free} left`;
  if (expected !== null && expected > free)
    throw new HoldfastError('NoSpace', `${subject}: ${words}.`, repository.name);
  if (expected === null && estimated > free) progress({ type: 'warning', subject, text: `it may not fit: ${words}` });
}
