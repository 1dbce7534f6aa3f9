import { existsSync } from 'node:fs';
import { HoldfastError, messageOf } from '../domain/errors.ts';
import type { Clock, Identifiers } from '../ports/clock.ts';
import type { Owner, OwnerState, Owners } from '../ports/owner.ts';
import { type JournalEntry, journalEntry, settle } from './entry.ts';
import type { ForwardStep, Step, StepPorts } from './step.ts';
import { type EntryRow, JournalStore, parseStored } from './store.ts';

/** What an operation is about to do, in the words of the interface: `restore`, `mealie`. */
interface Intent {
  readonly verb: string;
  readonly subject: string;
  /** Plain data for a report. */
  readonly detail?: unknown;
}

/** An entry that is not closed. `left`: its owner gave up after a step that failed, and may still run. */
export interface OpenEntry {
  readonly id: string;
  readonly verb: string;
  readonly subject: string;
  readonly detail: unknown;
  readonly begunAt: Temporal.Instant;
  readonly owner: Owner;
  readonly state: OwnerState | 'left';
  /** `back`: its steps are to be taken back, newest first. `forward`: they are to be performed, in this order. */
  readonly direction: 'back' | 'forward';
  readonly steps: readonly (Step | ForwardStep)[];
}

/** What became of an open entry. `skipped`: a process that runs, or may run, works on it. */
export interface Repair {
  readonly entry: OpenEntry;
  readonly outcome: 'undone' | 'finished' | 'skipped' | 'failed';
  readonly detail: string;
  /** What to do about one that failed. */
  readonly hint?: string;
}

/** Steps recorded before they are taken, so that whoever starts next can put things right (design, rule 2). Each write
 *  is on disk when its call returns. */
export interface Journal extends Disposable {
  /** Durable before it resolves. */
  begin(intent: Intent): Promise<JournalEntry>;
  /** Oldest first. */
  open(): readonly OpenEntry[];
  /** Puts right what ended processes left. One entry that fails does not keep others from being repaired, and stays.
   *  `force`: also entries whose owner cannot be seen from here; never those of a process that runs.
   *  @throws the reason of `signal`, after the step at hand; what was begun stays open */
  repair(options: { readonly force: boolean }, signal: AbortSignal): Promise<readonly Repair[]>;
}

export interface JournalContext {
  readonly clock: Clock;
  readonly identifiers: Identifiers;
  readonly owners: Owners;
  readonly ports: StepPorts;
}

/** Opens or makes the journal in a folder that exists.
 *  @throws StateDamaged, StateNewer, StateBusy, StateUnusable, NoSpace */
export function openJournal(path: string, { clock, identifiers, owners, ports }: JournalContext): Journal {
  const store = new JournalStore(path, { readOnly: false });
  const owner = JSON.stringify(owners.current);
  /** What this process gave up: on a full disk the row itself cannot say so. */
  const left = new Set<string>();
  const entryOf = (row: EntryRow): OpenEntry => openEntry(row, store, owners, left.has(row.id));

  /** Two processes may repair at once: one of them takes the entry over, or steps would be taken back twice. */
  const claim = (row: EntryRow): EntryRow | null =>
    store.write(() => {
      const changed = store.change(
        'UPDATE entries SET owner = ?, working = 1 WHERE id = ? AND owner = ? AND working = ?',
        ...[owner, row.id, row.owner, row.working],
      );
      return changed === 0 ? null : (store.entries().find(({ id }) => id === row.id) ?? null);
    });

  async function repairOne(row: EntryRow, force: boolean, signal: AbortSignal): Promise<Repair> {
    const entry = entryOf(row);
    const free = entry.state === 'gone' || entry.state === 'left' || (entry.state === 'unknown' && force);
    if (!free) return { entry, outcome: 'skipped', detail: whoWorksOn(entry) };
    const claimed = claim(row);
    left.delete(row.id);
    if (claimed === null) return { entry, outcome: 'skipped', detail: 'another process repairs it' };
    try {
      const settled = await settle(claimed, store, ports, true, signal);
      const outcome = claimed.direction === 'back' ? 'undone' : 'finished';
      return { entry, outcome, detail: `${settled.length} ${settled.length === 1 ? 'step' : 'steps'}` };
    } catch (error) {
      left.add(row.id);
      signal.throwIfAborted();
      const hint = error instanceof HoldfastError ? { hint: error.hint } : {};
      return { entry, outcome: 'failed', detail: messageOf(error), ...hint };
    }
  }

  return {
    async begin({ verb, subject, detail }) {
      const now = clock.now();
      const row: EntryRow = {
        id: identifiers.next(now),
        verb,
        subject,
        detail: JSON.stringify(detail ?? null),
        owner,
        working: 1,
        direction: 'back',
        begun_at: now.toString(),
      };
      store.change(
        `INSERT INTO entries (id, verb, subject, detail, owner, working, direction, begun_at)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
        ...[row.id, verb, subject, row.detail, owner, row.working, row.direction, row.begun_at],
      );
      return journalEntry(row, store, ports, () => left.add(row.id));
    },
    open: () => store.entries().map(entryOf),
    async repair({ force }, signal) {
      const repairs: Repair[] = [];
      for (const row of store.entries()) {
        signal.throwIfAborted();
        repairs.push(await repairOne(row, force, signal));
      }
      return repairs;
    },
    [Symbol.dispose]: () => store[Symbol.dispose](),
  };
}

/** The open entries of a journal that is not to be changed, nor made when there is none: for commands that only read.
 *  @throws StateDamaged, StateNewer, StateBusy, StateUnusable */
export function openEntries(path: string, owners: Owners): readonly OpenEntry[] {
  if (!existsSync(path)) return [];
  using store = new JournalStore(path, { readOnly: true });
  return store.empty ? [] : store.entries().map((row) => openEntry(row, store, owners, false));
}

function openEntry(row: EntryRow, store: JournalStore, owners: Owners, left: boolean): OpenEntry {
  const owner: Owner = parseStored(row.owner, store.path);
  return {
    id: row.id,
    verb: row.verb,
    subject: row.subject,
    detail: parseStored(row.detail, store.path),
    begunAt: Temporal.Instant.from(row.begun_at),
    owner,
    state: left || row.working === 0 ? 'left' : owners.state(owner),
    direction: row.direction,
    steps: store.steps(row.id).map(({ step }) => parseStored(step, store.path)),
  };
}

const whoWorksOn = ({ owner, state }: OpenEntry): string =>
  state === 'running'
    ? `process ${owner.pid} works on it`
    : `process ${owner.pid} of ${owner.hostname} may work on it, which cannot be seen from here`;
