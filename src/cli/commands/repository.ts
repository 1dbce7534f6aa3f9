import { Command } from 'commander';
import { counted } from '../../domain/counted.ts';
import { ERRORS, HoldfastError } from '../../domain/errors.ts';
import {
  planRepositoryInit,
  type RepositoryCheckReport,
  repositoryCheck,
  repositoryInit,
} from '../../operations/repository-check.ts';
import { repositoryList } from '../../operations/repository-list.ts';
import type { Face, LocationKeys } from '../face.ts';
import { coloured } from '../render/colour.ts';
import { recoverySheet, repositoriesForPeople } from '../render/repository.ts';
import { printable } from '../render/table.ts';

export const repositoryCommand = (face: Face): Command => {
  const init = new Command('init')
    .description('Creates a repository, proves that its key opens what it seals, and prints a recovery sheet.')
    .argument('<name>', 'a repository of the configuration')
    .option('--identity <file>', 'the age identity that opens it, when the configuration names none')
    .addHelpText(
      'after',
      '\nExamples:\n  holdfast repository init local\n  holdfast repository init vault --identity /media/stick/age.key',
    )
    .action(async (name: string, keys: LocationKeys) => {
      const { dryRun } = face.globals();
      await using application = await face.open({ writes: !dryRun, keys });
      if (dryRun) {
        const { capabilities } = await planRepositoryInit(name, application, face.signal);
        const path = capabilities.local;
        face.print(`Would make the repository ${printable(name)}${path === null ? '' : ` in ${printable(path)}`}`);
        return face.printJson({ dryRun, repository: name, path });
      }
      const { id } = await repositoryInit(name, application, face.signal);
      const config = application.loaded?.configuration.repositories?.[name];
      face.print(recoverySheet(name, id, config));
      face.printJson({ repository: name, id, outcome: 'passed' });
    });
  const check = new Command('check')
    .description('Looks at marker, key, names, sizes and manifests; `holdfast verify` reads the items.')
    .argument('<name>', 'a repository of the configuration')
    .option('--identity <file>', 'the age identity that opens it, when the configuration names none')
    .addHelpText('after', '\nExamples:\n  holdfast repository check local')
    .action(async (name: string, keys: LocationKeys) => {
      await using application = await face.open({ keys });
      const report = await repositoryCheck(name, application, face.signal);
      for (const { subject, detail } of report.problems) face.print(`${printable(subject)}: ${printable(detail)}`);
      face.print(`${coloured(report.outcome)}: ${printable(name)}, ${counted(report.points, 'recovery point')}`);
      face.printJson({ ...report });
      face.exit(exitCodeOfCheck(report));
    });
  const list = new Command('list')
    .description('The repositories of the configuration and what they hold.')
    .addHelpText('after', '\nExamples:\n  holdfast repository list --json')
    .action(async () => {
      await using application = await face.open();
      const rows = await repositoryList(application, face.signal);
      face.print(repositoriesForPeople(rows));
      face.printJson({ repositories: rows });
    });
  const group = new Command('repository')
    .description('Create, check and list repositories.')
    .addHelpText('after', '\nExamples:\n  holdfast repository init local\n  holdfast repository list --json');
  for (const command of [init, check, list]) group.addCommand(command);
  for (const [name, summary] of [
    ['rekey', 'A new key, the old one retired'],
    ['show', 'Size, points, ratio of compression'],
  ] as const)
    group.addCommand(notBuilt(name, summary));
  return group;
};

/** Where nothing is wrong but the key, the code says so, as it does for every verb that opens something with it. */
function exitCodeOfCheck({ problems }: RepositoryCheckReport): number {
  if (problems.length === 0) return 0;
  return problems.every(({ code }) => code === 'WrongPassword') ? ERRORS.WrongPassword.exit : 1;
}

const notBuilt = (name: string, summary: string): Command =>
  new Command(name)
    .summary(`${summary} (not built yet)`)
    .argument('[arguments...]')
    .allowUnknownOption()
    .action(() => {
      throw new HoldfastError('NotBuilt', `\`holdfast repository ${name}\` is not built yet.`, name);
    });
