import { HoldfastError } from '../domain/errors.ts';
import type { Context } from './context.ts';
import { namedItem, readableItems, seeNames } from './point-items.ts';
import { type PointQuery, selectPoint } from './point-selection.ts';

export interface CatRequest extends PointQuery {
  readonly item: string;
  /** A regular file of a tree item, as `ls` prints it. Left out: the whole dump, or the whole tar. */
  readonly path?: string | undefined;
}

/** The plain bytes of a dump, of a tar, or of one file in a tar. It throws at its end when the bytes are not those that
 *  were stored; what was read until then must not be trusted. The point's shared lock is held meanwhile.
 *  @throws as `selectPoint`; ItemNotFound, PathNotFound, Damaged */
export async function* cat(request: CatRequest, context: Context, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const { repository, point } = await selectPoint({ ...request, evenFailed: true }, context, signal);
  await using _ = await repository.lock({ kind: 'point', id: point.id }, 'shared', 0, signal);
  const { name, tree } = namedItem(request.item, await readableItems(point, context), point);
  if (request.path === undefined) return yield* repository.open(point, name, signal);
  if (!tree) {
    throw new HoldfastError('PathNotFound', `Item ${name} is one dump and has no paths.`, request.path, {
      hint: `Leave the path out: holdfast cat ${point.id} ${name}`,
    });
  }
  try {
    yield* repository.openFile(point, name, request.path, signal);
  } catch (error) {
    if (!(error instanceof HoldfastError && error.code === 'PathNotFound')) throw error;
    const hint = seeNames(point.id, name);
    throw new HoldfastError('PathNotFound', error.message, error.subject, { cause: error, hint });
  }
}
