import { HoldfastError } from '../domain/errors.ts';
import type { PointSummary } from '../domain/recovery-point.ts';
import type { JournalEntry } from '../journal/entry.ts';
import type { Context } from './context.ts';

const VERB = 'drill';
const TRY_AGAIN_MS = 250;

/** Begins the drill of a point, unless one of the same service runs. Each says that it is there before it looks for the
 *  other: of two that come at once at least one gives way.
 *  @returns the entry for all that the drill makes; left without `done`, all of it is removed
 *  @throws StateBusy after `waitMs` */
export async function beginDrill(
  { service, id: point }: Pick<PointSummary, 'service' | 'id'>,
  waitMs: number,
  { journal: open, clock, progress }: Pick<Context, 'journal' | 'clock' | 'progress'>,
  signal: AbortSignal,
): Promise<JournalEntry> {
  const journal = await open();
  const end = clock.monotonicMs() + waitMs;
  for (let told = false; ; told = true) {
    const entry = await journal.begin({ verb: VERB, subject: service, detail: { service, point } });
    const other = journal
      .open()
      .find(
        ({ id, verb, subject, state }) =>
          id !== entry.id && verb === VERB && subject === service && state === 'running',
      );
    if (other === undefined) return entry;
    await entry.done();
    const { pid } = other.owner;
    if (clock.monotonicMs() >= end)
      throw new HoldfastError('StateBusy', `A drill of ${service} runs already (process ${pid}).`, service, {
        hint: 'Wait for its end, or use --lock-wait',
      });
    if (!told) progress({ type: 'step', subject: service, text: `waiting for the drill of process ${pid}` });
    await clock.sleep(TRY_AGAIN_MS + Math.floor(Math.random() * TRY_AGAIN_MS), signal);
  }
}
