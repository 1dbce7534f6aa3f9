import { performServiceRollback, planServiceRollback } from '../../operations/rollback-service.ts';
import { serviceNamed } from '../../operations/service-context.ts';
import { recordedPoint } from '../../operations/service-record.ts';
import type { Face } from '../face.ts';
import {
  servicePlanAsJson,
  servicePreview,
  serviceRollbackAsJson,
  serviceRollbackForPeople,
} from '../render/guarded-service.ts';
import { printable } from '../render/table.ts';

/** `rollback --service NAME [--point ID]`: to the newest point that guard made of it when none is named. */
export async function takeServiceBack(
  { service, point: id }: { readonly service: string; readonly point: string | null },
  autoConfirm: boolean,
  face: Face,
): Promise<void> {
  const { dryRun } = face.globals();
  await using application = await face.open({ writes: !dryRun });
  serviceNamed(service, application);
  const { point } = await recordedPoint(service, id, application);
  const plan = await planServiceRollback(point, application, face.signal);
  const preview = servicePreview(plan);
  if (dryRun) {
    face.print(preview);
    return face.printJson(servicePlanAsJson(plan));
  }
  face.note(preview);
  if (!autoConfirm && !(await face.confirm(`Take ${printable(service)} back?`))) return face.exit(1);
  const how = { reason: 'manual-recovery', expected: null, startAgain: null } as const;
  const report = await performServiceRollback(plan, how, application, face.signal);
  face.print(serviceRollbackForPeople(report));
  face.printJson(serviceRollbackAsJson(report));
  face.exit(report.outcome === 'success' ? 0 : 1);
}
