import { planPathRollback, rollbackPath } from '../../operations/rollback-path.ts';
import type { Face } from '../face.ts';
import {
  pathRollbackAsJson,
  pathRollbackForPeople,
  pathRollbackPlanAsJson,
  pathRollbackPreview,
} from '../render/rollback.ts';
import { printable } from '../render/table.ts';

/** `rollback --snapshot NAME --path PATH`: the rest of the subvolume stays as it is. */
export async function takePathBack(
  request: { readonly snapshot: string; readonly path: string },
  autoConfirm: boolean,
  face: Face,
): Promise<void> {
  const { dryRun } = face.globals();
  await using application = await face.open({ writes: !dryRun });
  const plan = await planPathRollback(request, application, face.signal);
  const preview = pathRollbackPreview(plan, application.clock.now());
  if (dryRun) {
    face.print(preview);
    return face.printJson(pathRollbackPlanAsJson(plan));
  }
  face.note(preview);
  if (!autoConfirm && !(await face.confirm(`Take ${printable(plan.path)} back?`))) return face.exit(1);
  const done = await rollbackPath(plan, application, face.signal);
  face.print(pathRollbackForPeople(done));
  face.printJson(pathRollbackAsJson(done));
  face.exit(done.problems.length === 0 ? 0 : 1);
}
