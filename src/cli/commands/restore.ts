import { resolve } from 'node:path';
import { Command, Option } from 'commander';
import { HoldfastError } from '../../domain/errors.ts';
import { restore } from '../../operations/restore.ts';
import {
  OVERWRITE,
  type Overwrite,
  type RestoreRequest,
  type RestoreTarget,
} from '../../operations/restore-request.ts';
import { gathered } from '../arguments.ts';
import { EXIT_OF_BACKUP } from '../exit-code.ts';
import type { Application, Face } from '../face.ts';
import { restoreAsJson, restoreForPeople } from '../render/restore.ts';
import { openedFor, type RepositoryChoice, withRepositoryOptions } from '../repository-option.ts';
import { refuseReplaced, typedPath } from '../typed-words.ts';

interface Options extends RepositoryChoice {
  readonly at?: string;
  readonly item?: readonly string[];
  readonly path?: string;
  readonly to?: string;
  readonly inPlace?: boolean;
  readonly database?: string;
  readonly overwrite?: Overwrite;
  readonly keepPartial?: boolean;
  readonly live?: boolean;
  readonly withoutSafety?: boolean;
}

/** The one target that was given; null when there is none. @throws Usage for two, or for an option of another target */
function targetOf(options: Options): RestoreTarget | null {
  const { to, inPlace, database, overwrite, keepPartial = false, live = false, withoutSafety = false } = options;
  if ([to, inPlace, database].filter((target) => target !== undefined).length > 1)
    throw new HoldfastError('Usage', 'Choose one of --to, --in-place and --database.', 'restore');
  if (to === undefined && (overwrite !== undefined || keepPartial))
    throw new HoldfastError('Usage', '--overwrite and --keep-partial belong to --to.', 'restore');
  if (!inPlace && (live || withoutSafety))
    throw new HoldfastError('Usage', '--live and --without-safety belong to --in-place.', 'restore');
  if (to !== undefined) return { kind: 'folder', path: resolve(to), overwrite, keepPartial };
  if (inPlace) return { kind: 'in-place', live, withoutSafety };
  return database === undefined ? null : { kind: 'database', name: database };
}

/** Asks for what was not given. Null: the wizard was left. */
async function requestOf(
  what: string | undefined,
  target: RestoreTarget | null,
  options: Options,
  application: Application,
  face: Face,
): Promise<RestoreRequest | null> {
  if (target !== null && what !== undefined) {
    const { at, item: items, path, repository } = options;
    return { what, at, items, path, repository, target, dryRun: face.globals().dryRun };
  }
  const { restoreWizard } = await import('../wizard.ts');
  const asked = await restoreWizard({ what, ...options }, application, face.signal);
  return asked && { ...asked, dryRun: face.globals().dryRun };
}

export const restoreCommand = (face: Face): Command =>
  withRepositoryOptions(new Command('restore'))
    .description('Takes a service, an item or a path back. What was there is never destroyed. Without a target: asks.')
    .argument('[what]', 'a service, or a point')
    .option(
      '--at <time>',
      'of a service: the newest point at or before this time: "2026-11-20 02:00", "yesterday 12:00", "2h ago"',
    )
    .option('--item <name>', 'only this item or source; may be given again', gathered)
    .option('--path <sub>', 'only what is at or below this name, as `holdfast ls` prints it', typedPath)
    .option('--to <dir>', 'into this folder')
    .option('--in-place', 'where it was; the present state is kept beside it')
    .option('--database <name>', 'into a database of this name, which must not exist')
    .addOption(new Option('--overwrite <when>', 'with --to: what happens to files that are there').choices(OVERWRITE))
    .option('--keep-partial', 'with --to: after a failure, keep what was restored so far, to look at it')
    .option('--live', 'with --in-place: although processes hold the data')
    .option('--without-safety', 'with --in-place: although the present state cannot be kept')
    .addHelpText(
      'after',
      '\nExamples:\n  holdfast restore wishlist --to /tmp/look\n  holdfast restore wishlist --at "2h ago" --item db --in-place\n  holdfast restore 01KAJ --repository /srv/backups --path etc/caddy --to /tmp/look',
    )
    .action(async (what: string | undefined, options: Options) => {
      refuseReplaced([options.to ?? '']);
      const target = targetOf(options);
      const asks = target === null || what === undefined;
      if (asks && !face.interactive)
        throw new HoldfastError('Usage', 'Say what to restore, and where to: --to DIR or --in-place.', 'restore', {
          hint: 'holdfast restore --help shows examples; on a terminal the choices are asked for',
        });
      await using application = await face.open({ ...openedFor(options), writes: !face.globals().dryRun });
      const request = await requestOf(what, target, options, application, face);
      if (request === null) return face.exit(1); // the wizard was left: nothing changed
      const confirmed = asks; // by the wizard
      if (request.target.kind === 'in-place' && !request.dryRun && !confirmed) {
        const preview = await restore({ ...request, dryRun: true }, application, face.signal);
        face.note([...preview.steps, ...preview.warnings].join('\n'));
        if (!(await face.confirm(`Replace the present state of ${preview.service}?`))) return face.exit(1);
      }
      const report = await restore(request, application, face.signal);
      face.print(restoreForPeople(report));
      face.printJson(restoreAsJson(report));
      face.exit(EXIT_OF_BACKUP[report.outcome]);
    });
