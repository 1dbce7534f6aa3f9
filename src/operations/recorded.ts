import { messageOf } from '../domain/errors.ts';
import type { Outcome } from '../domain/recovery-point.ts';
import type { Context } from './context.ts';

interface Recorded {
  readonly verb: string;
  readonly plan: string | null;
  readonly services: readonly string[];
}

/** Performs a verb and records the run, also when it throws. `detail` is what the history keeps of the answer, as JSON. */
export async function recorded<Answer extends { readonly outcome: Outcome }>(
  what: Recorded,
  { clock, identifiers, catalog }: Pick<Context, 'clock' | 'identifiers' | 'catalog'>,
  perform: () => Promise<Answer>,
  detail: (answer: Answer) => unknown,
): Promise<Answer & { readonly run: string; readonly durationMs: number }> {
  const startedAt = clock.now();
  const from = clock.monotonicMs();
  const id = identifiers.next(startedAt);
  const elapsed = (): number => Math.round(clock.monotonicMs() - from);
  let answer: Answer;
  try {
    answer = await perform();
  } catch (error) {
    const failed = { error: messageOf(error) };
    try {
      await catalog.recordRun({ ...what, id, startedAt, durationMs: elapsed(), outcome: 'failed', detail: failed });
    } catch (second) {
      throw new SuppressedError(second, error, 'The run could not be recorded either.');
    }
    throw error;
  }
  const durationMs = elapsed();
  await catalog.recordRun({ ...what, id, startedAt, durationMs, outcome: answer.outcome, detail: detail(answer) });
  return { ...answer, run: id, durationMs };
}
