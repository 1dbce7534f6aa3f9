import { HoldfastError, messageOf } from '../domain/errors.ts';
import type { Context } from './context.ts';
import { type DrillBudget, refuseLargeDrill, refuseLongDrill } from './drill-budget.ts';
import type { DrillContext } from './drill-context.ts';
import type { SelectedPoint } from './point-selection.ts';
import { choose } from './restore-choice.ts';

export interface Sampled {
  /** Null when none is within the budget. */
  readonly selected: SelectedPoint | null;
  /** Services whose proof is older, and why they were passed over. */
  readonly passedOver: readonly { readonly subject: string; readonly text: string }[];
}

/** The point of the service whose last drill that passed is longest ago, or that never had one, and that is within the
 *  budget. @param points one of each service */
export async function oldestProof(
  points: readonly SelectedPoint[],
  budget: DrillBudget,
  context: DrillContext,
  signal: AbortSignal,
): Promise<Sampled> {
  const passedOver: { subject: string; text: string }[] = [];
  const proved = await Promise.all(
    points.map(async (selected) => ({ selected, at: await lastProof(selected.point.service, context) })),
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

/** In milliseconds since 1970; earlier than any when there is none. */
async function lastProof(service: string, { catalog }: Pick<Context, 'catalog'>): Promise<number> {
  const restored = (await catalog.points({ service })).filter(({ evidence }) => evidence === 'restored');
  return Math.max(Number.NEGATIVE_INFINITY, ...restored.map(({ evidenceAt }) => evidenceAt.epochMilliseconds));
}
