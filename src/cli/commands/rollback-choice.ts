import { HoldfastError } from '../../domain/errors.ts';
import { planRollback, type RollbackPlan, type RollbackRequest } from '../../operations/rollback-plan.ts';
import { listSnapshots } from '../../operations/snapshot.ts';
import type { Application, Face } from '../face.ts';
import { ageForPeople, timeForPeople } from '../render/point.ts';
import { printable } from '../render/table.ts';

/** Lets a person choose among the snapshots and kept states, newest first, each with its date, age and outcome.
 *  @param subvolume only those of this one; null: of all
 *  @returns null when the person left without a choice
 *  @throws SnapshotMissing when there is none */
export async function chooseSnapshot(
  subvolume: string | null,
  application: Application,
  face: Face,
): Promise<RollbackRequest['what'] | null> {
  const found = await listSnapshots(subvolume === null ? {} : { subvolume }, application, face.signal);
  const whose = subvolume === null ? 'There is no snapshot yet.' : `${subvolume} has no snapshot.`;
  if (found.length === 0) throw new HoldfastError('SnapshotMissing', whose, subvolume ?? 'rollback');
  const { isCancel, select } = await import('@clack/prompts');
  const now = application.clock.now();
  const answer = await select({
    message: 'Which snapshot shall come back?',
    options: found.map(({ name, madeAt, outcome }) => ({
      value: name,
      label: `${printable(name)}  ${timeForPeople(madeAt)}, ${ageForPeople(madeAt, now)}${outcome === null ? '' : `, ${outcome}`}`,
    })),
    output: process.stderr,
    signal: face.signal,
  });
  return isCancel(answer) ? null : { snapshot: answer };
}

/** Offers to take along what the subvolume depends on, to the closest earlier snapshots. @returns the plan that is wanted */
export async function offerDependencies(
  plan: RollbackPlan,
  application: Application,
  face: Face,
): Promise<RollbackPlan> {
  const [wanted] = plan.replacements;
  if (plan.leftAlone.length === 0 || wanted === undefined) return plan;
  const what = { snapshot: wanted.snapshot.name };
  const together = await planRollback({ what, withDependencies: true }, application, face.signal);
  const others = together.replacements.slice(1).map(({ snapshot }) => printable(snapshot.name));
  if (others.length === 0) return together; // which says why each is left alone
  const question = `${printable(plan.subvolume)} depends on others. Take them back, too, to ${others.join(', ')}?`;
  return (await face.confirm(question)) ? together : plan;
}
