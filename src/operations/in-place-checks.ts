import { HoldfastError } from '../domain/errors.ts';
import type { Context } from './context.ts';
import type { InPlacePlan } from './in-place-plan.ts';
import type { Expectation } from './rollback-expectation.ts';
import { untilHealthy } from './unit-health.ts';
import type { Stopped } from './units.ts';
import { demandingGood, type Validation, validate } from './validate.ts';

/** How a service is after a restore in place. */
export interface Wellness {
  /** What does not work; null when all does. */
  readonly bad: HoldfastError | null;
  /** What could not be told. */
  readonly warnings: readonly string[];
  readonly validation: Validation | null;
}

type Ports = Pick<Context, 'settling' | 'clock' | 'progress'>;

/** Looks whether the service works. A restore is there because something was bad before, so that all of its units and
 *  declared checks must be good, unless `expected` says what was good before the change that is taken back. When all of
 *  its units were down, that is by intent, and nothing can be asked.
 *  @param problems with starting it, which need no look */
export async function lookAfter(
  plan: InPlacePlan,
  stopped: readonly Stopped[],
  {
    problems,
    expected,
    kept,
  }: {
    readonly problems: readonly string[];
    readonly expected: Expectation | undefined;
    readonly kept: readonly { readonly path: string }[];
  },
  context: Ports,
  signal: AbortSignal,
): Promise<Wellness> {
  const { service, units, checks } = plan;
  const none = { warnings: [], validation: null };
  const unwell = (code: 'UnitFailed' | 'CheckFailed', bad: readonly string[]): HoldfastError =>
    notWell(code, service.name, bad, kept);
  if (problems.length > 0) return { ...none, bad: unwell('UnitFailed', problems) };
  if (expected !== undefined) return await validated(expected, plan, unwell, context, signal);
  const started = stopped.map(({ unit }) => unit);
  const bad = await untilHealthy(started, context.clock, signal);
  if (bad.length > 0) return { ...none, bad: unwell('UnitFailed', bad) };
  if (checks.length === 0) return { ...none, bad: null };
  const words = `Not checked, since nothing of it ran before: ${checks.map(({ name }) => name).join(', ')}`;
  if (units.length > 0 && stopped.length === 0) return { bad: null, warnings: [words], validation: null };
  const all = { validators: checks, baselines: demandingGood(checks.map(() => null)) };
  return await validated(all, plan, unwell, context, signal);
}

async function validated(
  { validators, baselines }: Expectation,
  { service }: InPlacePlan,
  unwell: (code: 'CheckFailed', bad: readonly string[]) => HoldfastError,
  { settling, clock, progress }: Ports,
  signal: AbortSignal,
): Promise<Wellness> {
  if (validators.length > 0) progress({ type: 'step', subject: service.name, text: 'check' });
  const validation = await validate(validators, baselines, settling, clock, signal);
  const of = (outcome: string): readonly string[] =>
    validation.checks.filter((one) => one.outcome === outcome).map(({ name, detail }) => `${name}: ${detail}`);
  const bad = validation.outcome === 'invalid' ? unwell('CheckFailed', of('failed')) : null;
  return { bad, warnings: of('inconclusive').map((words) => `Could not be checked: ${words}`), validation };
}

/** The data are restored and stay: only a person can tell whether they or the unit are to blame. */
function notWell(
  code: 'UnitFailed' | 'CheckFailed',
  service: string,
  bad: readonly string[],
  kept: readonly { readonly path: string }[],
): HoldfastError {
  const what = code === 'UnitFailed' ? 'its units are not well' : 'it does not pass its checks';
  const words = `${service} is restored, and ${what}: ${bad.join('; ')}.`;
  const paths = kept.map(({ path }) => path).join(', ');
  const state = paths === '' ? '' : ` The state before is kept in ${paths}.`;
  return new HoldfastError(code, `${words}${state}`, service);
}
