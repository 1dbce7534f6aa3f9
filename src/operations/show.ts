import type { Context } from './context.ts';
import { isOrphaned } from './orphaned.ts';
import { type PointQuery, type SelectedPoint, selectPoint } from './point-selection.ts';

export type ShowRequest = PointQuery;
export interface ShowReport {
  /** With its manifest; a foreign archive has none. */
  readonly point: SelectedPoint['point'];
  /** The plan that made it is no longer configured. */
  readonly orphaned: boolean;
}

/** One point with its manifest as its repository has it now. @throws as `selectPoint` */
export async function show(request: ShowRequest, context: Context, signal: AbortSignal): Promise<ShowReport> {
  const { point } = await selectPoint({ ...request, evenFailed: true }, context, signal);
  return { point, orphaned: isOrphaned(point, context) };
}
