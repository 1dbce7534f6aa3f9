import type { ServiceDefinition } from '../domain/definitions.ts';
import type { Unit } from '../ports/unit.ts';
import { decisionOnService } from './guard-decision.ts';
import { type GuardPlan, NOTHING_LOOKED_AT, seenIn } from './guard-plan.ts';
import type { GuardServiceRequest } from './guard-request.ts';
import type { Expectation } from './rollback-expectation.ts';
import { refuseTreesInUse } from './rollback-service.ts';
import { baselineOfService } from './rollback-service-expectation.ts';
import { type ServiceContext, serviceNamed, unitsOfService } from './service-context.ts';
import { type PlannedPoint, planPoint } from './service-point.ts';
import { nameCopies } from './service-trees.ts';
import { runningOf, type Stopped } from './units.ts';

/** All that a guard of a service looks at before it makes anything. */
export interface LookedService {
  readonly planned: PlannedPoint;
  readonly units: readonly Unit[];
  readonly expected: Expectation;
  /** The units that run. */
  readonly before: readonly Stopped[];
}

/** @throws as `planPoint`; TargetBusy when it could not be taken back of itself */
export async function lookBeforeService(
  { autoRollback, execute }: GuardServiceRequest,
  service: ServiceDefinition,
  context: ServiceContext,
  signal: AbortSignal,
): Promise<LookedService> {
  const planned = await planPoint(service, context, signal);
  const units = await unitsOfService(service, context);
  if (autoRollback) await refuseTreesInUse(planned.tree.trees, units, context, signal);
  const expected = await baselineOfService(service.name, execute ? units : null, context, signal);
  return { planned, units, expected, before: await runningOf(units, signal) };
}

/** What `guardService` would do, without a change. @throws as `guardService` before it starts the command */
export async function planGuardService(
  request: GuardServiceRequest,
  context: ServiceContext,
  signal: AbortSignal,
): Promise<GuardPlan> {
  const service = serviceNamed(request.service, context);
  const decision = await decisionOnService(request, context);
  const { operation } = request;
  const plan = { name: service.name, operation, decision };
  if (!decision.protect) return { ...plan, ...NOTHING_LOOKED_AT };
  const looked = await lookBeforeService(request, service, context, signal);
  const { tree, repository } = looked.planned;
  const copies = await nameCopies(tree, operation, context.clock.now(), context, signal);
  const sources = tree.rest.map(({ name }) => name);
  return {
    ...plan,
    snapshots: copies.map((copy) => ('pool' in copy ? copy.name : copy.file)),
    archive: repository === null ? null : { repository: repository.name, sources },
    ...seenIn(looked),
  };
}
