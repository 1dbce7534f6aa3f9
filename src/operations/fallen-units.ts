import { messageOf } from '../domain/errors.ts';
import type { Context } from './context.ts';
import { untilHealthy } from './unit-health.ts';
import type { Stopped } from './units.ts';

/** Compose 1 and Compose 2 write the same name in two ways. */
const spelled = (member: string): string => member.replaceAll('_', '-');

/** Members that ran before the stop and do not run any more. A container by itself may have got another name. */
async function fallenOf({ unit, members }: Stopped, signal: AbortSignal): Promise<readonly string[]> {
  const running = new Set((await unit.running(signal)).map(spelled));
  if (members.length === 1 && running.size > 0) return [];
  return members.filter((member) => !running.has(spelled(member)));
}

/** Waits until units that were started are healthy. A container that ended meanwhile is started once more by then: one
 *  that gives up without its database found it still starting. What systemd runs, it orders itself.
 *  @param startedMs as {@link untilHealthy} has it
 *  @returns what is wrong with each that is not, or of which a part is down
 *  @throws the signal's reason; what a unit throws */
export async function untilAllRun(
  stopped: readonly Stopped[],
  { clock, progress }: Pick<Context, 'clock' | 'progress'>,
  signal: AbortSignal,
  startedMs: number,
): Promise<readonly string[]> {
  const units = stopped.map(({ unit }) => unit);
  const bad = await untilHealthy(units, clock, signal, startedMs);
  let again = false;
  const groups = stopped.filter(({ unit }) => unit.reference.kind !== 'systemd');
  for (const one of groups) {
    const fallen = await fallenOf(one, signal);
    if (fallen.length === 0) continue;
    again = true;
    progress({ type: 'warning', subject: one.unit.name, text: `${fallen.join(', ')} ended, and is started once more` });
    try {
      await one.unit.start(fallen, signal);
    } catch (error) {
      signal.throwIfAborted();
      progress({ type: 'warning', subject: one.unit.name, text: messageOf(error) }); // told again below, if it stays so
    }
  }
  if (!again) return bad;
  const told = [...(await untilHealthy(units, clock, signal, clock.monotonicMs()))];
  for (const one of groups.filter(({ members }) => members.length > 1)) {
    const fallen = await fallenOf(one, signal);
    if (fallen.length > 0) told.push(`${fallen.join(', ')} of ${one.unit.name} is down`);
  }
  return told;
}
