import type { PointSummary } from '../domain/recovery-point.ts';
import type { KeptState } from '../ports/catalog.ts';
import type { Context } from './context.ts';
import { type Failure, failureOf, throwCommonFailure } from './failure.ts';
import { dropKeptDatabase, nameOfKept } from './kept-states.ts';
import type { PlannedPrune, PrunePlan } from './prune-plan.ts';
import { pruneService } from './prune-service.ts';
import { recorded } from './recorded.ts';

export interface PruneReport {
  readonly run: string;
  /** `partial`: something was refused, not confirmed or failed, and something else was done or needed nothing. */
  readonly outcome: 'passed' | 'partial' | 'failed';
  readonly durationMs: number;
  readonly services: readonly PlannedPrune[];
  readonly removed: readonly PointSummary[];
  readonly removedStates: readonly KeptState[];
  /** Points that may go and did not, and why: they are being read, or changed since the plan was made. */
  readonly passedOver: readonly PassedOver[];
  readonly failures: readonly Failure[];
}

interface PassedOver {
  readonly point: PointSummary;
  readonly reason: string;
}

/** Performs a plan as the verb `prune` does: what keeps it from doing anything at all is thrown, when it is always the
 *  same (locked, refused). @throws as said; the signal's reason */
export async function prune(
  plan: PrunePlan,
  options: { readonly confirmed: boolean },
  context: Context,
  signal: AbortSignal,
): Promise<PruneReport> {
  const report = await performPrune(plan, options, context, signal);
  if (report.outcome === 'failed') throwCommonFailure(report.failures);
  return report;
}

/** Performs a plan. Each service is listed and decided again under its lock, and only what both times may go is removed,
 *  by its id, the oldest first. Without `confirmed` what has a question stays. What fails is a row of the answer. */
export async function performPrune(
  plan: PrunePlan,
  { confirmed }: { readonly confirmed: boolean },
  context: Context,
  signal: AbortSignal,
): Promise<PruneReport> {
  const what = {
    verb: 'prune',
    plan: plan.request.plan,
    services: [...new Set(plan.services.map(({ service }) => service))],
  };
  const perform = async (): Promise<Omit<PruneReport, 'run' | 'durationMs'>> => {
    const removed: PointSummary[] = [];
    const passedOver: PassedOver[] = [];
    const failures: Failure[] = [...plan.failures];
    let done = 0;
    for (const planned of plan.services) {
      try {
        for await (const step of pruneService(planned, plan.request, confirmed, context, signal))
          if (step.removed) removed.push(step.point);
          else passedOver.push({ point: step.point, reason: step.reason });
        done += 1;
      } catch (error) {
        signal.throwIfAborted();
        failures.push(failureOf(error, planned.service, planned.repository));
      }
    }
    const removedStates: KeptState[] = [];
    for (const state of plan.keptStates) {
      try {
        await removeState(state, context, signal);
        removedStates.push(state);
      } catch (error) {
        signal.throwIfAborted();
        failures.push(failureOf(error, nameOfKept(state), null));
      }
    }
    const nothing = done === 0 && removed.length === 0 && removedStates.length === 0;
    const unwell = nothing ? 'failed' : 'partial';
    const outcome = failures.length === 0 ? 'passed' : unwell;
    return { outcome, services: plan.services, removed, removedStates, passedOver, failures };
  };
  return recorded(what, context, perform, (report) => ({
    removed: report.removed.map(({ id, repository, service, location }) => ({ id, repository, service, location })),
    removedStates: report.removedStates,
    failures: report.failures,
  }));
}

/** By its record, and forgotten only once it is gone. */
async function removeState(state: KeptState, context: Context, signal: AbortSignal): Promise<void> {
  if ('path' in state) await (await context.host(state.host)).files.remove(state.path, signal);
  else await dropKeptDatabase(state, context, signal);
  await context.catalog.forgetKeptState(state);
}
