import type { Clock } from '../ports/clock.ts';
import type { Unit, UnitHealth } from '../ports/unit.ts';

/** How long something may be starting, and how long it may be bad after that, in milliseconds (interface, section 5). */
const STARTING_LIMIT_MS = 10 * 60_000;
const SETTLE_MS = 30_000;
/** What starts anew says that it is starting, or restarting: what is down stays down. */
const DOWN_MS = 5_000;
/** What says nothing of its health, and fails at what it finds, does so within this time. */
const STEADY_MS = 2_000;
const LOOK_AGAIN_MS = 250;
const GOOD: ReadonlySet<UnitHealth> = new Set<UnitHealth>(['healthy', 'undeclared']);

/** Waits until units that were started are healthy, or run where they say nothing of their health.
 *  @param startedMs when they were started, by the monotonic clock: then what says nothing of its health has to run two
 *  seconds after that
 *  @returns what is wrong with each that is not, when its time is over
 *  @throws the signal's reason */
export async function untilHealthy(
  units: readonly Unit[],
  clock: Clock,
  signal: AbortSignal,
  startedMs = Number.NEGATIVE_INFINITY,
): Promise<readonly string[]> {
  const from = clock.monotonicMs();
  const bad: string[] = [];
  for (const unit of units) {
    let settledSince: number | null = null;
    for (;;) {
      const health = await unit.health(signal);
      const now = clock.monotonicMs();
      const steady = health === 'healthy' || now - startedMs >= STEADY_MS;
      if (GOOD.has(health) && steady) break;
      if (GOOD.has(health)) {
        await clock.sleep(LOOK_AGAIN_MS, signal);
        continue;
      }
      settledSince = health === 'starting' ? null : (settledSince ?? now);
      const over =
        settledSince === null
          ? now - from > STARTING_LIMIT_MS
          : now - settledSince > (health === 'down' ? DOWN_MS : SETTLE_MS);
      if (over) {
        bad.push(`${unit.name} is ${health}`);
        break;
      }
      await clock.sleep(LOOK_AGAIN_MS, signal);
    }
  }
  return bad;
}
