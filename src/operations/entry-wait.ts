import type { HoldfastError } from '../domain/errors.ts';
import type { OpenEntry } from '../journal/journal.ts';
import type { Context } from './context.ts';

const LOOK_AGAIN_MS = 500;

/** A guard waits for its command: what the command starts must not wait for the guard. */
function isOwn({ detail }: OpenEntry, guardedBy: readonly string[]): boolean {
  const { point, snapshot } = (detail ?? {}) as { readonly point?: unknown; readonly snapshot?: unknown };
  return guardedBy.some((own) => own === point || own === snapshot);
}

/** What is waited for, and how that is told. */
export interface EntryWait {
  readonly limitMs: number;
  /** Whether an entry is waited for. */
  stands(entry: OpenEntry): boolean;
  /** Told once, of the first entry that stands. */
  waiting(entry: OpenEntry): { readonly subject: string; readonly text: string };
  /** Thrown when the limit is over. */
  over(entry: OpenEntry): HoldfastError;
}

/** Waits while another process works under a journal entry that stands in the way. Of what a crash left nothing is waited
 *  for, nor of the guards inside which this process runs.
 *  @throws what {@link EntryWait.over} gives */
export async function waitForEntries(
  { limitMs, stands, waiting, over }: EntryWait,
  { journal, clock, progress, guardedBy }: Pick<Context, 'journal' | 'clock' | 'progress' | 'guardedBy'>,
  signal: AbortSignal,
): Promise<void> {
  const opened = await journal();
  const end = clock.monotonicMs() + limitMs;
  for (let told = false; ; told = true) {
    const other = opened.open().find((entry) => entry.state === 'running' && stands(entry) && !isOwn(entry, guardedBy));
    if (other === undefined) return;
    if (clock.monotonicMs() >= end) throw over(other);
    if (!told) progress({ type: 'step', ...waiting(other) });
    await clock.sleep(LOOK_AGAIN_MS, signal);
  }
}
