import { Command } from 'commander';
import { list } from '../../operations/list.ts';
import { gathered } from '../arguments.ts';
import type { Face } from '../face.ts';
import { listAsJson, listForPeople } from '../render/list.ts';
import { isLocation } from '../repository-option.ts';

export const listCommand = (face: Face): Command =>
  new Command('list')
    .description('Recovery points, newest first.')
    .argument('[service]', 'all services when left out')
    .option('--repository <name|location>', 'only this one; may be given again', gathered)
    .addHelpText(
      'after',
      '\nExamples:\n  holdfast list\n  holdfast list wishlist --json\n  holdfast list --repository /srv/backups',
    )
    .action(async (service: string | undefined, { repository = [] }: { readonly repository?: readonly string[] }) => {
      await using application = await face.open({ locations: repository.filter(isLocation) });
      const report = await list({ service: service ?? null, repositories: repository }, application, face.signal);
      face.print(listForPeople(report, application.clock.now()));
      face.printJson(listAsJson(report));
    });
