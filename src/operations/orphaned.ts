import type { PointSummary } from '../domain/recovery-point.ts';
import type { Context } from './context.ts';

/** Whether a plan of this machine made the point and is no longer configured: no retention looks at it, until
 *  `prune --plan` names that plan. Without a configuration nobody can tell. */
export const isOrphaned = (
  { plan, origin }: Pick<PointSummary, 'plan' | 'origin'>,
  here: Pick<Context, 'plans' | 'origin' | 'configuration'>,
): boolean => here.configuration !== null && plan !== null && origin === here.origin && !here.plans.has(plan);
