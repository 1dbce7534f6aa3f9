import { HoldfastError, messageOf } from '../domain/errors.ts';
import { isDeclaredIn, systemctlCommand } from '../domain/unit-reference.ts';
import { type ForwardStep, recoveryRecorded } from '../journal/step.ts';
import type { Recovery } from '../ports/catalog.ts';
import type { Unit } from '../ports/unit.ts';
import type { GuardContext } from './guard-context.ts';
import type { Remount } from './rollback-exchange.ts';
import type { Replacement, RollbackPlan } from './rollback-plan.ts';
import { type Stopped, startsOf } from './units.ts';

/** What is still to be done after the last exchange, as the journal keeps it for the case of a crash. */
export function remaining(
  plan: RollbackPlan,
  units: readonly Stopped[],
  remounts: readonly Remount[],
  recovery: Recovery,
): readonly ForwardStep[] {
  return [
    ...plan.replacements.flatMap(afterSwap),
    ...remounts.map(({ point, path, options }) => ({ kind: 'remounted', point, path, options }) as const),
    recoveryRecorded(recovery),
    ...startsOf(units),
  ];
}

/** A Compose project whose file was taken back is made by it again, as far as it was made since: else the containers of
 *  the change that failed would run on the old data. */
export const asDeclaredThen = (plan: RollbackPlan, units: readonly Stopped[]): readonly Stopped[] =>
  units.map((one) => {
    const replaced = plan.replacements.find(({ state }) => isDeclaredIn(state.path, one.unit.reference));
    return replaced === undefined ? one : { ...one, madeAfter: replaced.snapshot.madeAt };
  });

function afterSwap({ pool, subvolume, provisional, kept, state, snapshotter }: Replacement): readonly ForwardStep[] {
  if (kept === null) return [];
  const { atomic } = snapshotter.capabilities;
  return [
    ...(atomic ? [{ kind: 'subvolume-renamed', pool, from: provisional, to: kept } as const] : []),
    ...(state.nested.length > 0
      ? [{ kind: 'nested-moved', pool, nested: state.nested, from: kept, to: subvolume } as const]
      : []),
  ];
}

/** After the point of no return, with limits of its own: an abort must leave nothing half done. Answers with what has to
 *  be done by hand. */
export async function goForward(
  plan: RollbackPlan,
  units: readonly Stopped[],
  remounts: readonly Remount[],
  context: GuardContext,
): Promise<string[]> {
  const problems: string[] = [];
  const own = new AbortController().signal;
  for (const { subvolume, provisional, kept, state, snapshotter } of plan.replacements) {
    if (kept === null) continue;
    if (snapshotter.capabilities.atomic) await snapshotter.rename(provisional, kept, own);
    if (state.nested.length > 0) await snapshotter.moveNested(state.nested, kept, subvolume, own);
  }
  for (const mount of remounts) {
    try {
      await context.mounts.show(mount, own);
    } catch (error) {
      problems.push(
        `${mount.point} is not mounted: ${messageOf(error)} By hand: mount --bind ${mount.path} ${mount.point}`,
      );
    }
  }
  for (const { unit, members, madeAfter } of units) {
    context.progress({ type: 'step', subject: unit.name, text: 'starting' });
    try {
      await unit.start(members, own, madeAfter);
    } catch (error) {
      const missing = error instanceof HoldfastError && error.code === 'UnitMissing';
      const byHand = missing ? 'make it again, and start it' : startCommand(unit);
      problems.push(`${unit.name} does not start: ${messageOf(error)} By hand: ${byHand}`);
    }
  }
  return problems;
}

/** What was started and does not run by now, as a program that fails at what it finds: what has to be done by hand. */
export async function downAgain(units: readonly Stopped[], signal: AbortSignal): Promise<readonly string[]> {
  const problems: string[] = [];
  for (const { unit, members } of units) {
    const running = new Set(await unit.running(signal));
    if (!members.every((member) => running.has(member)))
      problems.push(`${unit.name} does not stay up. By hand: ${startCommand(unit)}`);
  }
  return problems;
}

function startCommand({ reference }: Unit): string {
  if (reference.kind === 'container') return `docker start ${reference.container}`;
  if (reference.kind === 'compose') return `docker compose --file ${reference.file} up --detach`;
  return systemctlCommand('start', reference);
}
