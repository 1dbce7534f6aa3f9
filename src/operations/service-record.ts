import { HoldfastError } from '../domain/errors.ts';
import type { SnapshotOutcome } from '../domain/guard.ts';
import { COPIES_FOLDER } from '../domain/pool-names.ts';
import type { Catalog, Run, Snapshot } from '../ports/catalog.ts';
import type { Images, UnitReference } from '../ports/unit.ts';
import type { ServiceContext } from './service-context.ts';

/** A path of a service as a snapshot holds it: in a pool by name, or a file by its copy's path. */
export type TreeCopy = { readonly source: string; readonly path: string } & (
  | { readonly pool: string; readonly name: string }
  | { readonly file: string }
);

/** What one recovery point of a whole service consists of, as plain data. */
export interface ServicePoint {
  /** A ULID: that of the point in the repository, where there is one. */
  readonly id: string;
  readonly service: string;
  /** As it was typed. */
  readonly operation: string;
  /** The repository that has what no snapshot holds; null when snapshots hold all. */
  readonly repository: string | null;
  readonly trees: readonly TreeCopy[];
  /** Kept under {@link labelOf} the id. */
  readonly images: readonly { readonly unit: UnitReference; readonly images: Images }[];
}

/** Under which the images of a point are kept. */
export const labelOf = ({ id }: Pick<ServicePoint, 'id'>): string => id.toLowerCase();

/** The pool of the rows by which a service's points stand in the history. No declared pool has a colon. */
export const poolOfService = (service: string): string => `service:${service}`;

/** What a run of guard keeps of a service's point. `removed`: its snapshots and images were let go. */
export interface ServiceRunDetail extends Omit<ServicePoint, 'id'> {
  readonly point: string;
  /** By which the history finds how the command ended. */
  readonly snapshot: string;
  readonly outcome: SnapshotOutcome;
  readonly commandExit: number | null;
  readonly rolledBack: boolean;
  /** False while it is made: what a crash left of it then is removed by the next guard of the service. */
  readonly whole: boolean;
  readonly removed: boolean;
}

export interface RecordedPoint {
  readonly run: Run;
  readonly detail: ServiceRunDetail;
  readonly point: ServicePoint;
}

/** The points that guard made of a service, or of all, whole or not, and that were not removed since. Newest first. */
export async function recordedPoints(
  service: string | null,
  { catalog }: Pick<ServiceContext, 'catalog'>,
): Promise<readonly RecordedPoint[]> {
  const runs = await catalog.runs({ verb: 'guard', limit: Number.MAX_SAFE_INTEGER });
  return runs.flatMap((run) => {
    const detail = run.detail as Partial<ServiceRunDetail> | null;
    if (typeof detail?.service !== 'string' || typeof detail.point !== 'string' || detail.removed !== false) return [];
    if (service !== null && detail.service !== service) return [];
    const whole = detail as ServiceRunDetail;
    const { repository, trees, images, operation } = whole;
    return [
      { run, detail: whole, point: { id: whole.point, service: whole.service, operation, repository, trees, images } },
    ];
  });
}

/** @param id or the beginning of one; null: the newest
 *  @throws PointNotFound */
export async function recordedPoint(
  service: string,
  id: string | null,
  context: Pick<ServiceContext, 'catalog'>,
): Promise<RecordedPoint> {
  const all = await recordedPoints(service, context);
  const whole = all.filter(({ detail }) => detail.whole);
  const found = whole.find(({ point }) => id === null || point.id.startsWith(id.toUpperCase()));
  if (found !== undefined) return found;
  const what = id === null ? `guard made no recovery point of ${service}` : `guard made no point ${id} of ${service}`;
  throw new HoldfastError('PointNotFound', `${what}, or it is gone.`, id ?? service, {
    hint: `Any point of a repository can be restored: holdfast restore ${id ?? service} --in-place`,
  });
}

/** Its row in the history. */
export const rowOf = (
  { id, service, operation }: ServicePoint,
  { madeAt, outcome, sizeBytes }: Pick<Snapshot, 'madeAt' | 'outcome' | 'sizeBytes'>,
): Snapshot => ({
  pool: poolOfService(service),
  name: id,
  subvolume: service,
  type: 'pre-operation',
  operation,
  madeAt,
  outcome,
  sizeBytes,
});

/** Guards whose snapshots may still be there: more than retention lets stand. */
const LATEST = 1000;

/** The folders in which guards of services copied trees. */
export async function copiesOfGuards(catalog: Pick<Catalog, 'runs'>): Promise<readonly string[]> {
  const runs = await catalog.runs({ verb: 'guard', limit: LATEST });
  const copies = runs.flatMap(({ detail }) => (detail as Partial<ServiceRunDetail> | null)?.trees ?? []);
  const folders = copies.map((copy) =>
    'file' in copy ? folderOf(copy.file) : `${folderOf(copy.path)}/${COPIES_FOLDER}`,
  );
  return [...new Set(folders)];
}

const folderOf = (path: string): string => path.replace(/\/[^/]*$/, '');
