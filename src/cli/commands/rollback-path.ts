import { rollbackPath } from '../../operations/rollback-path.ts';
import { refuseDryRun } from '../dry-run.ts';
import type { Face } from '../face.ts';
import { pathRollbackAsJson, pathRollbackForPeople } from '../render/rollback.ts';
import { printable } from '../render/table.ts';

/** `rollback --snapshot NAME --path PATH`: the rest of the subvolume stays as it is. */
export async function takePathBack(
  request: { readonly snapshot: string; readonly path: string },
  autoConfirm: boolean,
  face: Face,
): Promise<void> {
  refuseDryRun(face.globals());
  await using application = await face.open({ writes: true });
  const question = `Take ${printable(request.path)} back to ${printable(request.snapshot)}?`;
  if (!autoConfirm && !(await face.confirm(question))) return face.exit(1);
  const done = await rollbackPath(request, application, face.signal);
  face.print(pathRollbackForPeople(done));
  face.printJson(pathRollbackAsJson(done));
  face.exit(done.problems.length === 0 ? 0 : 1);
}
