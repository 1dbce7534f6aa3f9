import { HoldfastError, messageOf } from '../domain/errors.ts';
import type { Run } from '../ports/catalog.ts';
import type { Context } from './context.ts';
import { type DrillBudget, refuseLargeDrill, refuseLongDrill } from './drill-budget.ts';
import type { DrillContext } from './drill-context.ts';
import { drilledPointsOf, earlierDrills } from './drill-series.ts';
import type { SelectedPoint } from './point-selection.ts';
import { choose } from './restore-choice.ts';

export interface Sampled {
  /** Null when none is within the budget. */
  readonly selected: SelectedPoint | null;
  /** Services whose proof is older, and why they were passed over. */
  readonly passedOver: readonly { readonly subject: string; readonly text: string }[];
}

/** When the last drill of a service was begun that told nothing, in milliseconds since 1970. @param runs newest first */
const lastUntold = (runs: readonly Run[]): ReadonlyMap<string, number> =>
  new Map(
    runs.toReversed().flatMap((run) =>
      drilledPointsOf(run)
        .filter(({ outcome, whole }) => outcome === 'inconclusive' && whole)
        .map(({ service }) => [service, run.startedAt.epochMilliseconds] as const),
    ),
  );

/** The point of the service whose last drill that passed is longest ago, or that never had one, and that is within the
 *  budget. @param points one of each service */
export async function oldestProof(
  points: readonly SelectedPoint[],
  budget: DrillBudget,
  context: DrillContext,
  signal: AbortSignal,
): Promise<Sampled> {
  const passedOver: { subject: string; text: string }[] = [];
  const untold = lastUntold(await earlierDrills(context.catalog));
  const proved = await Promise.all(
    points.map(async (selected) => ({ selected, at: await lastProof(selected.point.service, untold, context) })),
  );
  for (const { selected } of proved.toSorted((left, right) => left.at - right.at)) {
    try {
      const { choices } = await choose({}, selected, context, signal);
      await refuseLongDrill(selected.point.service, budget, context);
      await refuseLargeDrill(selected.point.service, choices, budget, context, signal);
      return { selected, passedOver };
    } catch (error) {
      signal.throwIfAborted();
      if (!(error instanceof HoldfastError)) throw error;
      passedOver.push({ subject: selected.point.service, text: messageOf(error) });
    }
  }
  return { selected: null, passedOver };
}

/** When the service was proved last, in milliseconds since 1970; earlier than any when it never was. A later drill that
 *  told nothing counts like one: for want of an extension it would be chosen for ever, and no other service proved. */
async function lastProof(
  service: string,
  untold: ReadonlyMap<string, number>,
  { catalog }: Pick<Context, 'catalog'>,
): Promise<number> {
  const restored = (await catalog.points({ service })).filter(({ evidence }) => evidence === 'restored');
  const proofs = restored.map(({ evidenceAt }) => evidenceAt.epochMilliseconds);
  return Math.max(untold.get(service) ?? Number.NEGATIVE_INFINITY, ...proofs);
}
