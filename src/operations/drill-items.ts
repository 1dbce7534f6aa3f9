import { countedIn, type DrilledItem, differencesOf, isCounted } from '../domain/drill.ts';
import { HoldfastError, messageOf, saysFull } from '../domain/errors.ts';
import type { Item, Tool } from '../domain/manifest.ts';
import type { Check } from '../domain/verdict.ts';
import type { Bytes } from '../ports/bytes.ts';
import type { Scratch, ScratchPlace } from '../ports/scratch.ts';
import type { Context } from './context.ts';
import { passingBytes } from './passing-bytes.ts';
import type { SelectedPoint } from './point-selection.ts';
import type { Choice } from './restore-choice.ts';
import { writeItem } from './restore-extract.ts';
import { inconclusiveOrFailed } from './verify-item.ts';

/** An item on its way through the phases: each adds what it found. */
export interface Drilling {
  readonly choice: Choice & { readonly item: Item };
  /** Null for what is written as files. */
  scratch: Scratch | null;
  /** Where its files are; null for what goes into a server. */
  folder: string | null;
  outcome: Check['outcome'] | null;
  detail: string;
  actual: DrilledItem['actual'];
  left: readonly string[];
  restoredBy: Tool | null;
  durationMs: number;
}

export const drillingOf = (choice: Choice & { readonly item: Item }): Drilling => ({
  choice,
  scratch: null,
  folder: null,
  outcome: null,
  detail: '',
  actual: null,
  left: [],
  restoredBy: null,
  durationMs: 0,
});

/** Notes why an item came no further. A disk that is full tells nothing of the point. */
export function giveUp(drilling: Drilling, error: unknown): void {
  const { outcome, detail } = inconclusiveOrFailed('', isFull(error) ? noSpace(drilling) : error, 0);
  drilling.outcome = outcome;
  drilling.detail = detail;
}

/** How programs say it: the system's words, PostgreSQL when only a part of a block was taken, MariaDB. */
const FULL = /No space left on device|Check free disk space|Disk full|table '[^']*' is full|\b(?:errno|error): 28\b/i;

const isFull = (error: unknown): boolean => {
  for (let one = error; one instanceof Error; one = one instanceof SuppressedError ? one.suppressed : one.cause)
    if (saysFull(one) || FULL.test(messageOf(one))) return true;
  return false;
};

const noSpace = ({ choice }: Drilling): HoldfastError =>
  new HoldfastError('NoSpace', 'There is no space left for the scratch instances.', choice.name);

/** Less than any server needs for its next step. */
const LEAST_FREE_BYTES = 16 * 1024 ** 2;

/** What a server on a full disk says may be anything: `Operation not permitted`. Damage was found before any server. */
async function reasonOf(
  drilling: Drilling,
  error: unknown,
  { host, folder }: ScratchPlace,
  signal: AbortSignal,
): Promise<unknown> {
  if (drilling.scratch === null || (error instanceof HoldfastError && error.code === 'Damaged')) return error;
  return (await host.files.freeBytes(folder, signal)) < LEAST_FREE_BYTES ? noSpace(drilling) : error;
}

interface Parts {
  readonly selected: SelectedPoint;
  readonly place: ScratchPlace;
  readonly context: Context;
}

/** Puts one item where it was planned to go. */
export async function restoreOne(
  drilling: Drilling,
  { selected, place, context }: Parts,
  signal: AbortSignal,
): Promise<void> {
  const { choice, scratch, folder } = drilling;
  const { host } = place;
  const { clock, progress } = context;
  const from = clock.monotonicMs();
  try {
    if (scratch !== null) {
      drilling.restoredBy = scratch.tool;
      progress({ type: 'item-started', subject: choice.name, totalBytes: choice.bytes });
      drilling.left = await scratch.restore(choice.item, () => told(choice, selected, context, signal), signal);
    } else if (folder !== null) {
      progress({ type: 'item-started', subject: choice.name, totalBytes: choice.bytes });
      if (choice.tree) drilling.restoredBy = { name: 'tar', version: await host.version('tar', signal) };
      drilling.left = await writeItem({ choice, selected, host, stage: folder, context }, signal);
    }
  } catch (error) {
    signal.throwIfAborted();
    giveUp(drilling, await reasonOf(drilling, error, place, signal));
  }
  drilling.durationMs = Math.round(clock.monotonicMs() - from);
  const outcome = drilling.outcome ?? 'passed';
  progress({ type: 'item-finished', subject: choice.name, outcome, detail: drilling.detail || 'restored' });
}

const told = (
  { name }: Choice,
  { repository, point }: SelectedPoint,
  { progress }: Context,
  signal: AbortSignal,
): Bytes =>
  passingBytes(repository.open(point, name, signal), (bytes) =>
    progress({ type: 'item-advanced', subject: name, bytes }),
  );

/** Counts what one item became and compares it with what was counted when it was captured. */
export async function verifyOne(
  drilling: Drilling,
  place: ScratchPlace,
  context: Context,
  signal: AbortSignal,
): Promise<void> {
  const { choice, scratch, folder } = drilling;
  if (drilling.outcome !== null) return;
  const { item } = choice;
  try {
    if (scratch !== null) drilling.actual = await scratch.facts(item, signal);
    else if (folder !== null) {
      const format = await context.format(item.kind);
      const path = choice.file === null ? folder : `${folder}/${choice.file}`;
      drilling.actual = await format.facts(path, item.roots ?? [], signal);
    }
  } catch (error) {
    signal.throwIfAborted();
    return giveUp(drilling, await reasonOf(drilling, error, place, signal));
  }
  const found = drilling.actual ?? {};
  if (!isCounted(item.facts, found))
    return giveUp(drilling, new HoldfastError('Unsupported', 'Nothing was counted when it was captured.', item.name));
  const differences = differencesOf(item.facts, found);
  const words = differences
    .slice(0, 5)
    .map(({ fact, expected, actual }) => `${fact}: ${expected ?? 'none'} expected, ${actual ?? 'none'} restored`);
  const more = differences.length > words.length ? `; ${differences.length - words.length} more` : '';
  drilling.outcome = differences.length > 0 ? 'failed' : 'passed';
  drilling.detail = differences.length > 0 ? `${words.join('; ')}${more}` : `${countedIn(item.facts)}, all equal`;
}

export const drilledItem = ({ choice, ...found }: Drilling): DrilledItem => ({
  name: choice.name,
  source: choice.source,
  kind: choice.item.kind,
  outcome: found.outcome ?? 'inconclusive',
  detail: found.outcome === null ? 'not reached' : found.detail,
  expected: choice.item.facts,
  actual: found.actual,
  dumpedBy: choice.item.tool,
  restoredBy: found.restoredBy,
  left: found.left,
  durationMs: found.durationMs,
});
