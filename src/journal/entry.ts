import { HoldfastError, messageOf } from '../domain/errors.ts';
import { stateNewer } from '../domain/state-error.ts';
import { confirmNew, type ForwardStep, perform, type Step, type StepPorts, undo } from './step.ts';
import { type EntryRow, type JournalStore, parseStored } from './store.ts';
import { wordsOf } from './words.ts';

/** Taking back one step may remove a tree of millions of files; a host that hangs must still not hold us for ever. */
const STEP_LIMIT_MS = 10 * 60_000;
/** A database that its server cannot rename is copied back, whatever it holds; a server that says nothing ends it sooner. */
const COPY_LIMIT_MS = 24 * 3600_000;

/** One operation that moves things. Hold it with `await using`: leaving the block without `done` takes back every step,
 *  newest first, or, after `forwardOnly`, performs what remains. Both run on a signal of their own, because the
 *  caller's is often aborted by then. What cannot be put right throws JournalOpen, and the entry stays for a repair. */
export interface JournalEntry extends AsyncDisposable {
  readonly id: string;
  /** Records the step durably, then runs `take`. One step at a time.
   *  @throws TargetExists, before anything is recorded, when what the step makes is there already
   *  @throws StateBusy when another process took the entry over */
  step(step: Step, take: () => Promise<void>): Promise<void>;
  /** The point of no return: from here a failure, or the next start, only goes on. `remaining` is what is still to be
   *  done, in this order; it must be harmless to do again, and the caller does it before `done`. */
  forwardOnly(remaining?: readonly ForwardStep[]): Promise<void>;
  /** Closes the entry: nothing of it is taken back or performed any more. */
  done(): Promise<void>;
}

/** The entry that `row` names, which this process owns and which is in the store already.
 *  @param gaveUp called when it could not be put right */
export function journalEntry(row: EntryRow, store: JournalStore, ports: StepPorts, gaveUp: () => void): JournalEntry {
  let closed = false;
  let position = 0;
  let forward = false;
  let cutShort = false;
  const confirmOurs = (): void => {
    if (closed || !isOurs(row, store)) throw takenOver(row);
  };
  return {
    id: row.id,
    async step(step, take) {
      if (forward) throw new Error(`A step was recorded after the point of no return of ${row.verb}.`);
      await confirmNew(step, ports, AbortSignal.timeout(STEP_LIMIT_MS));
      store.write(() => {
        confirmOurs();
        insertStep(store, row.id, ++position, step);
      });
      try {
        await take();
      } catch (error) {
        cutShort = isInterruption(error);
        throw error;
      }
    },
    async forwardOnly(remaining = []) {
      store.write(() => {
        confirmOurs();
        store.change('DELETE FROM steps WHERE entry = ?', row.id);
        store.change(`UPDATE entries SET direction = 'forward' WHERE id = ?`, row.id);
        for (const step of remaining) insertStep(store, row.id, ++position, step);
      });
      forward = true;
    },
    async done() {
      store.write(() => {
        confirmOurs();
        store.change('DELETE FROM entries WHERE id = ?', row.id);
      });
      closed = true;
    },
    async [Symbol.asyncDispose]() {
      if (closed) return;
      confirmOurs();
      closed = true;
      try {
        const now = { ...row, direction: forward ? 'forward' : 'back' } as const;
        await settle(now, store, ports, cutShort, new AbortController().signal);
      } catch (error) {
        gaveUp();
        throw error;
      }
    },
  };
}

/** A step that failed by itself came to its end; one that was left in the middle may go on without us. */
const isInterruption = (error: unknown): boolean =>
  !(error instanceof HoldfastError) || ['Interrupted', 'Terminated'].includes(error.code);

/** Takes back or performs, whichever is the entry's direction, all steps that it still has; then closes it. Each step is
 *  forgotten durably before the next one, so that none is taken back again after those before it. A unit that cannot be
 *  started keeps no other from being started: no step stands on it.
 *  @param cutShort whether the newest step may not have come to its end
 *  @throws JournalOpen at the first other step that fails: those before it stand on its result. The entry is then free
 *  for a repair by any process. */
export async function settle(
  row: EntryRow,
  store: JournalStore,
  ports: StepPorts,
  cutShort: boolean,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const settled: string[] = [];
  const notStarted: unknown[] = [];
  try {
    const rows = store.steps(row.id);
    const newest = rows.at(-1)?.position;
    for (const { position, step } of row.direction === 'back' ? rows.toReversed() : rows) {
      signal.throwIfAborted();
      const { copies = false } = kindOf(step, store.path);
      const limit = AbortSignal.timeout(copies ? COPY_LIMIT_MS : STEP_LIMIT_MS);
      const limited = AbortSignal.any([signal, limit]);
      try {
        if (row.direction === 'back')
          await undo(parseStep(step, store.path), ports, cutShort && position === newest, limited);
        else await perform(parseForwardStep(step, store.path), ports, limited);
      } catch (error) {
        if (!STARTS[row.direction].has(kindOf(step, store.path).kind)) throw error;
        notStarted.push(error);
        continue;
      }
      store.change('DELETE FROM steps WHERE entry = ? AND position = ?', row.id, position);
      settled.push(step);
    }
    if (notStarted.length > 0) throw notStarted[0];
    store.change('DELETE FROM entries WHERE id = ?', row.id);
    return settled;
  } catch (cause) {
    const failure = openStill(row, store, cause);
    try {
      store.change('UPDATE entries SET working = 0 WHERE id = ?', row.id);
    } catch (error) {
      throw new SuppressedError(error, failure, 'The journal cannot be written either.');
    }
    throw failure;
  }
}

function insertStep(store: JournalStore, entry: string, position: number, step: Step | ForwardStep): void {
  store.change('INSERT INTO steps (entry, position, step) VALUES (?, ?, ?)', entry, position, JSON.stringify(step));
}

const isOurs = (row: EntryRow, store: JournalStore): boolean =>
  store.entries().some(({ id, owner, working }) => id === row.id && owner === row.owner && working === 1);

const takenOver = ({ verb, subject }: EntryRow): HoldfastError =>
  new HoldfastError('StateBusy', `Another process took over what ${verb} ${subject} had begun.`, subject);

/** Says what is open, so that a person can do it by hand where it is urgent. */
function openStill(row: EntryRow, store: JournalStore, cause: unknown): HoldfastError {
  const { verb, subject, direction } = row;
  const could = direction === 'back' ? 'taken back' : 'brought to its end';
  const message = `What ${verb} had begun with ${subject} could not be ${could}: ${messageOf(cause)}`;
  const own = cause instanceof HoldfastError ? cause.hint : null;
  const hint = own === null || own.includes(UNLOCK) ? own : `${own}, then: ${UNLOCK}`;
  return new HoldfastError('JournalOpen', `${message}${stillToDo(row, store)}`, subject, {
    cause,
    ...(hint === null ? {} : { hint }),
  });
}

const UNLOCK = 'holdfast unlock';
const SHOWN_STEPS = 5;

/** Nothing where the steps themselves cannot be read. */
function stillToDo({ id, direction }: EntryRow, store: JournalStore): string {
  let words: readonly string[];
  try {
    const steps = store.steps(id).map(({ step }) => step);
    words =
      direction === 'back'
        ? steps.toReversed().map((step) => wordsOf.back(parseStep(step, store.path)))
        : steps.map((step) => wordsOf.forward(parseForwardStep(step, store.path)));
  } catch {
    return '';
  }
  if (words.length === 0) return '';
  const more = words.length > SHOWN_STEPS ? `; and ${words.length - SHOWN_STEPS} more` : '';
  return ` Still to be done: ${words.slice(0, SHOWN_STEPS).join('; ')}${more}.`;
}

/** The kinds of steps that start a unit when they are taken back, or performed, or make it ready for its start. */
const STARTS: Readonly<Record<EntryRow['direction'], ReadonlySet<string>>> = {
  back: new Set(['unit-stopped']),
  forward: new Set(['unit-started', 'images-taken']),
};

const BACK = {
  'path-renamed': true,
  'path-made': true,
  'scratch-made': true,
  'container-made': true,
  'folder-made': true,
  'unit-stopped': true,
  'unit-started': true,
  'copy-made': true,
  'subvolume-exchanged': true,
  'subvolume-renamed': true,
  'database-made': true,
  'database-swapped': true,
  remounted: true,
} as const satisfies Record<Step['kind'], true>;
const FORWARD = {
  'path-renamed': true,
  'path-removed': true,
  'recovery-recorded': true,
  'unit-started': true,
  'images-taken': true,
  'subvolume-renamed': true,
  'nested-moved': true,
  remounted: true,
  'snapshot-made': true,
} as const satisfies Record<ForwardStep['kind'], true>;

function parseStep(text: string, path: string): Step {
  const step = kindOf(text, path);
  if (Object.hasOwn(BACK, step.kind)) return step as Step;
  throw stateNewer('journal', path, `a step ${step.kind}`);
}

function parseForwardStep(text: string, path: string): ForwardStep {
  const step = kindOf(text, path);
  if (Object.hasOwn(FORWARD, step.kind)) return step as ForwardStep;
  throw stateNewer('journal', path, `a step ${step.kind}`);
}

const kindOf = (text: string, path: string): { readonly kind: string; readonly copies?: true } =>
  parseStored(text, path);
