import { type BackupRequest, jobsOf, sourcesOf, unitsToStop } from './backup.ts';
import type { Context } from './context.ts';

export interface PlannedBackup {
  readonly service: string;
  /** The first is filled from the sources, the others from it. */
  readonly repositories: readonly string[];
  readonly items: readonly string[];
  /** Units that are stopped while the sources are read, in the order in which they are started again. */
  readonly stops: readonly string[];
}

/** What {@link backup} would do: nothing is read, and no repository is opened.
 *  @throws as backup does before it begins, and what keeps a service from being captured at all */
export async function planBackup(
  request: BackupRequest,
  context: Pick<
    Context,
    'services' | 'plans' | 'repositoryNames' | 'source' | 'unit' | 'containers' | 'host' | 'progress'
  >,
  signal: AbortSignal,
): Promise<readonly PlannedBackup[]> {
  const planned: PlannedBackup[] = [];
  for (const { service, repositories } of jobsOf(request, context)) {
    const sources = await sourcesOf(service, context);
    const stops = (await unitsToStop(service, context, signal)).map(({ name }) => name);
    const items = sources.flatMap(({ itemNames }) => itemNames);
    planned.push({ service: service.name, repositories, items, stops });
  }
  return planned;
}
