import type { Catalog, Recovery } from '../ports/catalog.ts';
import type { Identifiers } from '../ports/clock.ts';
import type { DiffTotals } from './diff.ts';

/** What a rollback replaced: what had been written there since, and where it is kept (interface, section 10, line 17). */
export interface Replaced {
  /** Or the name of a database. */
  readonly path: string;
  /** Null where nothing was there. */
  readonly kept: string | null;
  /** Null where it was not compared. */
  readonly written: DiffTotals | null;
}

interface RollbackDetail {
  readonly recovery: string;
  readonly replaced: readonly Replaced[];
}

const VERB = 'rollback';

/** Told beside the recovery, which says when, why and how it ended. */
export const recordReplaced = (
  { id, startedAt, durationMs, outcome, subject }: Recovery,
  replaced: readonly Replaced[],
  { catalog, identifiers }: { readonly catalog: Pick<Catalog, 'recordRun'>; readonly identifiers: Identifiers },
): Promise<void> =>
  catalog.recordRun({
    id: identifiers.next(startedAt),
    verb: VERB,
    plan: null,
    startedAt,
    durationMs,
    services: subject.kind === 'service' ? [subject.name] : [],
    outcome: outcome === 'success' ? 'passed' : 'failed',
    detail: { recovery: id, replaced } satisfies RollbackDetail,
  });

/** What rollbacks replaced, by the ids of their recoveries. */
export async function replacedByRecovery(
  catalog: Pick<Catalog, 'runs'>,
): Promise<ReadonlyMap<string, readonly Replaced[]>> {
  const runs = await catalog.runs({ verb: VERB, limit: Number.MAX_SAFE_INTEGER });
  return new Map(
    runs.flatMap(({ detail }) => {
      const told = detail as Partial<RollbackDetail> | null;
      return typeof told?.recovery === 'string' ? [[told.recovery, told.replaced ?? []] as const] : [];
    }),
  );
}
