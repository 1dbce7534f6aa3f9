import { Command } from 'commander';
import { HoldfastError } from '../../domain/errors.ts';
import { findKeptState } from '../../operations/kept-states.ts';
import { rollback } from '../../operations/rollback.ts';
import { planRollback, type RollbackRequest } from '../../operations/rollback-plan.ts';
import { writtenSince } from '../../operations/rollback-written.ts';
import type { Face } from '../face.ts';
import { rollbackAsJson, rollbackForPeople, rollbackPlanAsJson, rollbackPreview } from '../render/rollback.ts';
import { chooseSnapshot, offerDependencies } from './rollback-choice.ts';
import { takeDatabaseBack } from './rollback-database.ts';
import { takePathBack } from './rollback-path.ts';
import { takeServiceBack } from './rollback-service.ts';

interface Options {
  readonly snapshot?: string;
  readonly subvolume?: string;
  readonly service?: string;
  readonly lastGood?: boolean;
  readonly autoConfirm?: boolean;
  readonly withDependencies?: boolean;
  readonly path?: string;
  readonly point?: string;
}

export const rollbackCommand = (face: Face): Command =>
  new Command('rollback')
    .description('Puts a snapshot in the place of the present state, which is kept. Without a name: asks which.')
    .option('--snapshot <name>', 'a snapshot or a kept state, recorded or made by hand; or a kept database')
    .option('--subvolume <name>', 'of this subvolume: its newest snapshot, or the one chosen on a terminal')
    .option('--service <name>', 'a whole service, to the newest point that guard made of it')
    .option('--point <id>', 'with --service: to this one')
    .option('--last-good', 'with --subvolume: the newest whose change ended well')
    .option('--auto-confirm', 'do not ask')
    .option('--with-dependencies', 'take back what it depends on, too: to the closest earlier snapshots')
    .option('--path <path>', 'with --snapshot: this folder or file of it alone')
    .addHelpText(
      'after',
      '\nExamples:\n  holdfast rollback --subvolume media\n  holdfast rollback --snapshot media-pre-upgrade-20261121-143000 --auto-confirm',
    )
    .action(async (options: Options) => {
      const { autoConfirm = false, withDependencies = false, path } = options;
      if (options.service !== undefined) {
        refuseBeside(options);
        const wanted = { service: options.service, point: options.point ?? null };
        return takeServiceBack(wanted, autoConfirm, face);
      }
      const given = whatOf(options);
      if (given === null && !face.interactive)
        throw new HoldfastError('Usage', 'Say what to take back: --snapshot, --subvolume or --service.', 'rollback', {
          hint: 'holdfast snapshot list',
        });
      const { dryRun, yes } = face.globals();
      const asks = face.interactive && !autoConfirm && !yes;
      if (path !== undefined && options.snapshot !== undefined)
        return takePathBack({ snapshot: options.snapshot, path }, autoConfirm, face);
      await using application = await face.open({ writes: !dryRun });
      const kept = options.snapshot === undefined ? null : await findKeptState(options.snapshot, application);
      if (kept !== null && 'database' in kept) return await takeDatabaseBack(kept, autoConfirm, application, face);
      if (kept !== null && kept.path === options.snapshot) throw keptPath(kept.path);
      const choose = given === null || (asks && 'subvolume' in given && !given.lastGood);
      const what = choose ? await chooseSnapshot(options.subvolume ?? null, application, face) : given;
      if (what === null) return face.exit(1); // left without a choice: nothing changed
      const found = await planRollback({ what, withDependencies }, application, face.signal);
      const plan = asks && !dryRun && !withDependencies ? await offerDependencies(found, application, face) : found;
      const decided = autoConfirm || yes;
      const written = dryRun || !decided ? await writtenSince(plan, face.signal) : null;
      const preview = rollbackPreview(plan, written, application.clock.now());
      if (dryRun) {
        face.print(preview);
        return face.printJson(rollbackPlanAsJson(plan, written ?? []));
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
function whatOf({
  snapshot,
  subvolume,
  lastGood = false,
  path,
  point,
  withDependencies = false,
}: Options): RollbackRequest['what'] | null {
  if (point !== undefined) throw new HoldfastError('Usage', '--point belongs to --service.', 'rollback');
  if (snapshot !== undefined && subvolume !== undefined)
    throw new HoldfastError('Usage', 'Choose one of --snapshot and --subvolume.', 'rollback');
  if (path !== undefined && (snapshot === undefined || withDependencies))
    throw new HoldfastError('Usage', '--path belongs to --snapshot alone.', 'rollback');
  if (lastGood && subvolume === undefined)
    throw new HoldfastError('Usage', '--last-good belongs to --subvolume.', 'rollback');
  if (snapshot !== undefined) return { snapshot };
  return subvolume === undefined ? null : { subvolume, lastGood };
}

/** A kept state of a pool is known by its name, and is a snapshot among others. */
const keptPath = (path: string): HoldfastError =>
  new HoldfastError('Usage', `${path} is a path that a restore kept, which rollback does not exchange.`, path, {
    hint: 'Stop what uses it, move the present one away, and give this one its name back with mv',
  });

/** @throws Usage for what does not go with a service */
function refuseBeside({ snapshot, subvolume, lastGood, path, withDependencies }: Options): void {
  const others = { snapshot, subvolume, 'last-good': lastGood, path, 'with-dependencies': withDependencies };
  const [other] = Object.entries(others).find(([, value]) => value !== undefined) ?? [];
  if (other !== undefined) throw new HoldfastError('Usage', `--${other} does not go with --service.`, 'rollback');
}
