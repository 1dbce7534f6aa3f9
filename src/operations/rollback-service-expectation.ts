import type { Unit } from '../ports/unit.ts';
import type { Expectation } from './rollback-expectation.ts';
import { type ServiceContext, serviceNamed } from './service-context.ts';
import { demandingGood, takeBaseline } from './validate.ts';

/** What is looked at around a change of a service: its units, this machine and its declared checks.
 *  @param units null when nothing will be looked at */
export async function baselineOfService(
  name: string,
  units: readonly Unit[] | null,
  context: ServiceContext,
  signal: AbortSignal,
): Promise<Expectation> {
  if (units === null) return { validators: [], baselines: [] };
  const service = serviceNamed(name, context);
  const own = await context.validators({ name, host: service.host, units, checks: [] });
  const validators = [...own, ...(await context.checks(service))];
  return { validators, baselines: await takeBaseline(validators, signal) };
}

/** A rollback by hand is made because something is bad: what runs must be good afterwards. When none of its units runs,
 *  that is by intent, and what is asked is only that nothing gets worse. */
export async function expectationOfService(
  name: string,
  units: readonly Unit[],
  context: ServiceContext,
  signal: AbortSignal,
): Promise<Expectation> {
  const { validators, baselines } = await baselineOfService(name, units, context, signal);
  const running = await Promise.all(units.map(async (unit) => (await unit.running(signal)).length > 0));
  const down = units.length > 0 && !running.includes(true);
  return { validators, baselines: down ? baselines : demandingGood(baselines) };
}
