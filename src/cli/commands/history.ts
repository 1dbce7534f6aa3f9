import { Command } from 'commander';
import { HoldfastError } from '../../domain/errors.ts';
import { history, recordUnguarded } from '../../operations/history.ts';
import type { Face } from '../face.ts';
import { historyAsJson, historyForPeople } from '../render/history.ts';
import { printable } from '../render/table.ts';

export const historyCommand = (face: Face): Command =>
  new Command('history')
    .description('Snapshots and recoveries so far, newest first, and what they come to.')
    .addHelpText(
      'after',
      '\nExamples:\n  holdfast history --json\n  holdfast history record --operation dns --unguarded',
    )
    .action(async () => {
      await using application = await face.open();
      const told = await history(application, face.signal);
      face.print(historyForPeople(told));
      face.printJson(historyAsJson(told));
    })
    .addCommand(record(face));

const record = (face: Face): Command =>
  new Command('record')
    .description('Counts a change that was made without guard.')
    .requiredOption('--operation <name>', 'what was done')
    .option('--unguarded', 'it was made without guard')
    .addHelpText('after', '\nExamples:\n  holdfast history record --operation dns --unguarded')
    .action(async ({ operation, unguarded = false }: { readonly operation: string; readonly unguarded?: boolean }) => {
      if (!unguarded)
        throw new HoldfastError('Usage', 'Say that it was made without guard: --unguarded.', operation, {
          hint: 'What guard did is recorded by itself',
        });
      await using application = await face.open({ writes: true });
      await recordUnguarded({ operation }, application);
      face.print(`recorded: ${printable(operation)}, unguarded`);
      face.printJson({ operation, guarded: false });
    });
