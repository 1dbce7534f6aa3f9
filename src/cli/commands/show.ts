import { Command } from 'commander';
import { show } from '../../operations/show.ts';
import type { Face } from '../face.ts';
import { pointAsJson } from '../render/point.ts';
import { showForPeople } from '../render/show.ts';
import { openedFor, type RepositoryChoice, withRepositoryOptions } from '../repository-option.ts';

export const showCommand = (face: Face): Command =>
  withRepositoryOptions(new Command('show'))
    .description('The manifest of a recovery point, with what has been proved about it.')
    .argument('<point>', 'a point or a service (its newest usable point)')
    .addHelpText('after', '\nExamples:\n  holdfast show wishlist\n  holdfast show 01KAJ --json')
    .action(async (point: string, options: RepositoryChoice) => {
      await using application = await face.open(openedFor(options));
      const report = await show({ what: point, repository: options.repository }, application, face.signal);
      face.print(showForPeople(report));
      face.printJson({ ...pointAsJson(report.point), orphaned: report.orphaned, manifest: report.point.manifest });
    });
