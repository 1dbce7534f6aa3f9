import { Command } from 'commander';
import { HoldfastError } from '../../domain/errors.ts';
import { rollback } from '../../operations/rollback.ts';
import { planRollback, type RollbackRequest } from '../../operations/rollback-plan.ts';
import { listSnapshots } from '../../operations/snapshot.ts';
import type { Application, Face } from '../face.ts';
import { ageForPeople, timeForPeople } from '../render/point.ts';
import { rollbackAsJson, rollbackForPeople, rollbackPlanAsJson, rollbackPreview } from '../render/rollback.ts';
import { printable } from '../render/table.ts';

interface Options {
  readonly snapshot?: string;
  readonly subvolume?: string;
  readonly service?: string;
  readonly lastGood?: boolean;
  readonly autoConfirm?: boolean;
  readonly withDependencies?: boolean;
}

export const rollbackCommand = (face: Face): Command =>
  new Command('rollback')
    .description('Puts a snapshot in the place of the present state, which is kept. Without a name: asks which.')
    .option('--snapshot <name>', 'a snapshot or a kept state, recorded or made by hand')
    .option('--subvolume <name>', 'the newest snapshot of this subvolume')
    .option('--service <name>', 'a whole service (not built yet)')
    .option('--last-good', 'with --subvolume: the newest whose change ended well')
    .option('--auto-confirm', 'do not ask')
    .option('--with-dependencies', 'take back what it depends on, too: to the closest earlier snapshots')
    .addHelpText(
      'after',
      '\nExamples:\n  holdfast rollback --subvolume media\n  holdfast rollback --snapshot media-pre-upgrade-20261121-143000 --auto-confirm',
    )
    .action(async (options: Options) => {
      const { autoConfirm = false, withDependencies = false } = options;
      const given = whatOf(options);
      if (given === null && !face.interactive)
        throw new HoldfastError('Usage', 'Say what to take back: --snapshot NAME or --subvolume NAME.', 'rollback', {
          hint: 'holdfast snapshot list',
        });
      const { dryRun } = face.globals();
      await using application = await face.open({ writes: !dryRun });
      const what = given ?? (await chosen(application, face));
      if (what === null) return face.exit(1); // left without a choice: nothing changed
      const plan = await planRollback({ what, withDependencies }, application, face.signal);
      const preview = rollbackPreview(plan, application.clock.now());
      if (dryRun) {
        face.print(preview);
        return face.printJson(rollbackPlanAsJson(plan));
      }
      face.note(preview);
      if (!autoConfirm && !(await face.confirm(`Take ${plan.subvolume} back?`))) return face.exit(1);
      const how = { reason: 'manual-recovery', expected: null, startAgain: null } as const;
      const report = await rollback(plan, how, application, face.signal);
      face.print(rollbackForPeople(report));
      face.printJson(rollbackAsJson(report));
      face.exit(report.outcome === 'success' ? 0 : 1);
    });

/** Null when it is to be asked. @throws Usage for two of them */
function whatOf({ snapshot, subvolume, service, lastGood = false }: Options): RollbackRequest['what'] | null {
  if (service !== undefined)
    throw new HoldfastError('NotBuilt', 'Rollback of a whole service is not built yet.', service, {
      hint: 'Take back the subvolume that it lives on: --subvolume NAME',
    });
  if (snapshot !== undefined && subvolume !== undefined)
    throw new HoldfastError('Usage', 'Choose one of --snapshot and --subvolume.', 'rollback');
  if (lastGood && subvolume === undefined)
    throw new HoldfastError('Usage', '--last-good belongs to --subvolume.', 'rollback');
  if (snapshot !== undefined) return { snapshot };
  return subvolume === undefined ? null : { subvolume, lastGood };
}

/** Lets a person choose among the snapshots, with date and age. Null: left without a choice. */
async function chosen(application: Application, face: Face): Promise<RollbackRequest['what'] | null> {
  const found = await listSnapshots({}, application, face.signal);
  if (found.length === 0) throw new HoldfastError('SnapshotMissing', 'There is no snapshot yet.', 'rollback');
  const { isCancel, select } = await import('@clack/prompts');
  const now = application.clock.now();
  const answer = await select({
    message: 'Which snapshot shall come back?',
    options: found.map(({ name, madeAt, outcome }) => ({
      value: name,
      label: printable(name),
      hint: `${timeForPeople(madeAt)}, ${ageForPeople(madeAt, now)}${outcome === null ? '' : `, ${outcome}`}`,
    })),
    output: process.stderr,
    signal: face.signal,
  });
  return isCancel(answer) ? null : { snapshot: answer };
}
