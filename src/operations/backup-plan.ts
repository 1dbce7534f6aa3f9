import { type BackupRequest, jobsOf, sourcesOf } from './backup.ts';
import type { Context } from './context.ts';

export interface PlannedBackup {
  readonly service: string;
  /** The first is filled from the sources, the others from it. */
  readonly repositories: readonly string[];
  readonly items: readonly string[];
}

/** What {@link backup} would do: nothing is read, and no repository is opened.
 *  @throws as backup does before it begins, and what keeps a service from being captured at all */
export async function planBackup(
  request: BackupRequest,
  context: Pick<Context, 'services' | 'plans' | 'repositoryNames' | 'source'>,
): Promise<readonly PlannedBackup[]> {
  const planned: PlannedBackup[] = [];
  for (const { service, repositories } of jobsOf(request, context)) {
    const sources = await sourcesOf(service, context);
    planned.push({ service: service.name, repositories, items: sources.flatMap(({ itemNames }) => itemNames) });
  }
  return planned;
}
