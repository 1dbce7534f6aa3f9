import type { Validator } from '../ports/validator.ts';
import { checkedOf, type GuardContext } from './guard-context.ts';
import { usersOf } from './occupancy.ts';
import type { RollbackPlan } from './rollback-plan.ts';
import { type Baselines, demandingGood, takeBaseline } from './validate.ts';

/** What must be good afterwards, as it was before the change that is taken back. */
export interface Expectation {
  readonly validators: readonly Validator[];
  readonly baselines: Baselines;
}

/** A rollback by hand is made because something is bad: what runs must be good afterwards. When nothing of the declared
 *  units runs, that is by intent, and what is asked is only that nothing gets worse. */
export async function expectationOf(
  plan: RollbackPlan,
  context: GuardContext,
  signal: AbortSignal,
): Promise<Expectation> {
  const validators = await context.validators(await checkedOf(plan.replacements, context));
  const baselines = await takeBaseline(validators, signal);
  const down = plan.units.length > 0 && plan.units.every(({ running }) => !running);
  return { validators, baselines: down ? baselines : demandingGood(baselines) };
}

/** Every unit must be seen on the restored data (interface, section 10, line 1), and nobody else may have come to the old
 *  data between the look before the exchange and the exchange. */
export async function stillOnOldData(
  plan: RollbackPlan,
  context: GuardContext,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const units = plan.units.map(({ unit }) => unit);
  const problems: string[] = [];
  for (const { keptPath, subvolume } of plan.replacements) {
    if (keptPath === null) continue;
    const users = await usersOf(keptPath, units, context, signal);
    if (users.length === 0) continue;
    problems.push(`${users.join(', ')} still uses the state of ${subvolume} from before, now ${keptPath}: restart it`);
  }
  return problems;
}

/** What a change did away with inside a subvolume, and no snapshot of that can bring back. @param before by their paths in it */
export function nestedGone({ replacements }: RollbackPlan, before: readonly string[]): readonly string[] {
  const [wanted] = replacements;
  if (wanted === undefined) return [];
  const { state, subvolume } = wanted;
  const gone = before.filter((path) => !state.nested.includes(path));
  return gone.map(
    (path) =>
      `${state.path}/${path} was a subvolume of its own and is gone: no snapshot of ${subvolume} has what it held`,
  );
}
