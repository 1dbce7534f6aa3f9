import { type Decision, decide } from '../domain/guard.ts';
import { type GuardContext, knownIn, type Subject } from './guard-context.ts';
import type { GuardRequest, GuardServiceRequest } from './guard-request.ts';
import { poolOfService } from './service-record.ts';

type Ports = Pick<GuardContext, 'guard' | 'clock' | 'catalog'>;

/** Whether a snapshot is made, and why. `auto` looks how fresh the newest one is. */
export const decisionOn = (
  request: GuardRequest,
  subject: Subject,
  context: Ports,
  signal: AbortSignal,
): Promise<Decision> =>
  decision(request, context, async () => {
    const known = await knownIn(subject, context, signal);
    return known.find((one) => one.kind === 'snapshot' && one.subvolume === request.subvolume)?.madeAt;
  });

/** Whether a point of a service is made, and why. A whole backup of the service counts as one. */
export const decisionOnService = (request: GuardServiceRequest, context: Ports): Promise<Decision> =>
  decision(request, context, async () => {
    const { service } = request;
    const archived = (await context.catalog.points({ service })).filter(
      ({ outcome, held, foreign, type }) => outcome === 'passed' && held === null && !foreign && type === 'regular',
    );
    const rows = await context.catalog.snapshots({ subvolume: service });
    const guarded = rows.filter(({ pool }) => pool === poolOfService(service));
    return [...archived.map(({ timestamp }) => timestamp), ...guarded.map(({ madeAt }) => madeAt)]
      .toSorted(Temporal.Instant.compare)
      .at(-1);
  });

/** @param newest when the newest point was made; asked only where the decision hangs on it */
async function decision(
  { when, autoRollback, operation }: Omit<GuardRequest, 'subvolume'>,
  { guard: settings, clock }: Ports,
  newest: () => Promise<Temporal.Instant | undefined>,
): Promise<Decision> {
  const wanted = autoRollback ? 'always' : (when ?? settings.when); // there must be something to take back
  const madeAt = wanted === 'always' ? undefined : await newest();
  return decide(operation, wanted, settings, madeAt ?? null, clock.now());
}
