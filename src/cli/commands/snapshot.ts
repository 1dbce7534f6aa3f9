import { Argument, Command } from 'commander';
import { SNAPSHOT_OUTCOMES, type SnapshotOutcome } from '../../domain/guard.ts';
import { listKeptStates, nameOfKept } from '../../operations/kept-states.ts';
import { createSnapshots, listSnapshots, markSnapshot, planSnapshots } from '../../operations/snapshot.ts';
import { removeSnapshot } from '../../operations/snapshot-removal.ts';
import type { Face } from '../face.ts';
import { keptStateAsJson, keptStatesForPeople } from '../render/kept-states.ts';
import { snapshotAsJson, snapshotsAsJson, snapshotsForPeople } from '../render/snapshot.ts';
import { printable } from '../render/table.ts';

export const snapshotCommand = (face: Face): Command => {
  const group = new Command('snapshot')
    .description('Make, list, mark and remove snapshots.')
    .addHelpText(
      'after',
      '\nExamples:\n  holdfast snapshot create media --label before-upgrade\n  holdfast snapshot list',
    );
  for (const command of [create(face), list(face), mark(face), remove(face)]) group.addCommand(command);
  return group;
};

const create = (face: Face): Command =>
  new Command('create')
    .description('Makes a read-only snapshot of each subvolume and prints their names.')
    .argument('<subvolume...>', 'subvolumes of a pool, declared or not')
    .option('--label <label>', 'stands in the name in place of "manual"')
    .addHelpText('after', '\nExamples:\n  holdfast snapshot create media --label before-upgrade')
    .action(async (subvolumes: readonly string[], { label }: { readonly label?: string }) => {
      const { dryRun } = face.globals();
      await using application = await face.open({ writes: !dryRun });
      if (dryRun) {
        const request = { subvolumes, label: label ?? null };
        const planned = await planSnapshots(request, application.clock.now(), application, face.signal);
        face.print(planned.map(({ name }) => `Would make ${name}`).join('\n'));
        const rows = planned.map(({ name, subvolume, pool }) => ({ snapshot_name: name, subvolume, pool }));
        return face.printJson({ dryRun, snapshots: rows });
      }
      const made = await createSnapshots({ subvolumes, label: label ?? null }, application, face.signal);
      face.print(made.map(({ name }) => name).join('\n'));
      face.printJson({ snapshots: made.map(snapshotAsJson) });
    });

const list = (face: Face): Command =>
  new Command('list')
    .description('Snapshots and kept states of the pools, recorded or made by hand, and what else restores kept.')
    .argument('[subvolume]', 'of this one only, or of this service')
    .addHelpText('after', '\nExamples:\n  holdfast snapshot list media\n  holdfast snapshot list --json')
    .action(async (subvolume: string | undefined) => {
      await using application = await face.open();
      const found = await listSnapshots(subvolume === undefined ? {} : { subvolume }, application, face.signal);
      const shown = new Set(found.map(({ path }) => path));
      const kept = (await listKeptStates(subvolume, application)).filter(({ state }) => !shown.has(nameOfKept(state)));
      const none = found.length === 0 && kept.length > 0;
      const parts = [none ? '' : snapshotsForPeople(found, application.clock.now()), keptStatesForPeople(kept)];
      face.print(parts.filter((part) => part !== '').join('\n\n'));
      face.printJson({ ...snapshotsAsJson(found), kept: kept.map(keptStateAsJson) });
    });

const mark = (face: Face): Command =>
  new Command('mark')
    .description('Records how the change ended that a snapshot was made for.')
    .argument('<snapshot>', 'the name of a snapshot')
    .addArgument(new Argument('<outcome>', 'how it ended').choices(SNAPSHOT_OUTCOMES))
    .addHelpText('after', '\nExamples:\n  holdfast snapshot mark media-pre-upgrade-20261121-143000 success')
    .action(async (name: string, outcome: SnapshotOutcome) => {
      await using application = await face.open({ writes: true });
      const marked = await markSnapshot({ name, outcome }, application);
      face.print(`${printable(marked.name)}: ${marked.outcome}`);
      face.printJson({ snapshots: [snapshotAsJson(marked)] });
    });

const remove = (face: Face): Command =>
  new Command('remove')
    .description("Removes one snapshot or kept state, by its whole name; with --yes also a part of a service's point.")
    .argument('<snapshot>', 'the name of a snapshot, of a kept state or database, or the path of a kept state')
    .addHelpText(
      'after',
      '\nExamples:\n  holdfast snapshot remove media-manual-20261121-143000\n  holdfast snapshot remove mealie_recovery_backup_20261121_152336',
    )
    .action(async (name: string) => {
      await using application = await face.open({ writes: true });
      const { yes } = face.globals();
      const removed = await removeSnapshot({ name, yes }, application, face.signal);
      face.print(`removed ${printable(removed.path)}`);
      face.printJson({ removed: { snapshot_name: removed.name, path: removed.path } });
    });
