import type { UnreadablePoint } from '../domain/recovery-point.ts';
import type { Context } from './context.ts';
import { type Failure, failureOf } from './failure.ts';
import { recorded } from './recorded.ts';

export interface CatalogRebuildRequest {
  /** All when empty. */
  readonly repositories: readonly string[];
}

export interface CatalogRebuildReport {
  readonly run: string;
  /** `partial`: a repository could not be reached, so what was known of it stays, or a manifest could not be read. */
  readonly outcome: 'passed' | 'partial';
  readonly durationMs: number;
  readonly repositories: readonly RebuiltRepository[];
  readonly failures: readonly Failure[];
}

interface RebuiltRepository {
  readonly name: string;
  readonly points: number;
  readonly unreadable: readonly UnreadablePoint[];
}

/** Reads every manifest, hold and report anew: the repositories are right, and the catalog becomes what they say.
 *  @throws RepositoryNotFound for a name that is not configured */
export async function catalogRebuild(
  { repositories }: CatalogRebuildRequest,
  context: Context,
  signal: AbortSignal,
): Promise<CatalogRebuildReport> {
  const perform = async (): Promise<Omit<CatalogRebuildReport, 'run' | 'durationMs'>> => {
    const rebuilt: RebuiltRepository[] = [];
    const failures: Failure[] = [];
    for (const name of repositories.length > 0 ? repositories : context.repositoryNames) {
      try {
        context.progress({ type: 'step', subject: name, text: 'read all manifests' });
        const { points, unreadable } = await (await context.repository(name)).list({}, signal);
        await context.catalog.replaceRepository(name, points);
        rebuilt.push({ name, points: points.length, unreadable });
      } catch (error) {
        signal.throwIfAborted();
        if (!context.repositoryNames.includes(name)) throw error; // nothing is known of it that could be kept
        failures.push(failureOf(error, '', name));
      }
    }
    const whole = failures.length === 0 && rebuilt.every(({ unreadable }) => unreadable.length === 0);
    return { outcome: whole ? 'passed' : 'partial', repositories: rebuilt, failures };
  };
  const what = { verb: 'catalog rebuild', plan: null, services: [] };
  return recorded(what, context, perform, (report) => ({
    repositories: report.repositories.map(({ name, points }) => ({ name, points })),
    failures: report.failures,
  }));
}
