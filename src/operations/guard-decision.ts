import { type Decision, decide } from '../domain/guard.ts';
import { type GuardContext, knownIn, type Subject } from './guard-context.ts';
import type { GuardRequest } from './guard-request.ts';

/** Whether a snapshot is made, and why. `auto` looks how fresh the newest one is. */
export async function decisionOn(
  { when, autoRollback, operation, subvolume }: GuardRequest,
  subject: Subject,
  { guard: settings, clock, catalog }: GuardContext,
  signal: AbortSignal,
): Promise<Decision> {
  const wanted = autoRollback ? 'always' : (when ?? settings.when); // there must be something to take back
  if (wanted === 'always') return decide(operation, wanted, settings, null, clock.now());
  const newest = (await knownIn(subject, { catalog }, signal)).find(
    (one) => one.kind === 'snapshot' && one.subvolume === subvolume,
  );
  return decide(operation, wanted, settings, newest?.madeAt ?? null, clock.now());
}
