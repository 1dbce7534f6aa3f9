import { Command } from 'commander';
import { HoldfastError } from '../../domain/errors.ts';
import { list } from '../../operations/list.ts';
import { gathered } from '../arguments.ts';
import type { Face } from '../face.ts';
import { listAsJson, listForPeople } from '../render/list.ts';
import { isLocation } from '../repository-option.ts';

interface Options {
  readonly repository?: readonly string[];
  readonly snapshots?: boolean;
}

export const listCommand = (face: Face): Command =>
  new Command('list')
    .description('Recovery points, newest first.')
    .argument('[service]', 'all services when left out')
    .option('--repository <name|location>', 'only this one; may be given again', gathered)
    .option('--snapshots', 'instant snapshots too (not built yet)')
    .addHelpText(
      'after',
      '\nExamples:\n  holdfast list\n  holdfast list wishlist --json\n  holdfast list --repository /srv/backups',
    )
    .action(async (service: string | undefined, { repository = [], snapshots = false }: Options) => {
      if (snapshots) throw new HoldfastError('NotBuilt', 'This version has no snapshots yet.', '--snapshots');
      await using application = await face.open({ locations: repository.filter(isLocation) });
      const report = await list({ service: service ?? null, repositories: repository }, application, face.signal);
      if (face.globals().json) face.printJson(listAsJson(report));
      else face.print(listForPeople(report, application.clock.now()));
    });
