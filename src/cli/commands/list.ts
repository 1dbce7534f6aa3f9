import { Command } from 'commander';
import { list } from '../../operations/list.ts';
import { listSnapshots } from '../../operations/snapshot.ts';
import { gathered } from '../arguments.ts';
import type { Face } from '../face.ts';
import { listAsJson, listForPeople } from '../render/list.ts';
import { snapshotsAsJson, snapshotsForPeople } from '../render/snapshot.ts';
import { isLocation, type RepositoryChoice, withKeyOptions } from '../repository-option.ts';

interface Options extends Omit<RepositoryChoice, 'repository'> {
  readonly repository?: readonly string[];
  readonly snapshots?: boolean;
}

export const listCommand = (face: Face): Command =>
  withKeyOptions(new Command('list'))
    .description('Recovery points, newest first.')
    .argument('[service]', 'all services when left out')
    .option('--repository <name|location>', 'only this one; may be given again', gathered)
    .option('--snapshots', 'instant snapshots of the pools too')
    .addHelpText(
      'after',
      '\nExamples:\n  holdfast list\n  holdfast list wishlist --json\n  holdfast list --repository /srv/backups',
    )
    .action(
      async (
        service: string | undefined,
        { repository = [], snapshots = false, identity, passphraseFile }: Options,
      ) => {
        const keys = { identity, passphraseFile }; // a list opens nothing, but the same options serve all who read
        await using application = await face.open({ locations: repository.filter(isLocation), keys });
        const report = await list({ service: service ?? null, repositories: repository }, application, face.signal);
        const stored = snapshots ? await listSnapshots({}, application, face.signal) : null;
        const now = application.clock.now();
        // ten thousand rows: what is not asked for is not made
        if (face.globals().json)
          return face.printJson({ ...listAsJson(report), ...(stored === null ? {} : snapshotsAsJson(stored)) });
        face.print(listForPeople(report, now));
        if (stored !== null) face.print(`\n${snapshotsForPeople(stored, now)}`);
      },
    );
