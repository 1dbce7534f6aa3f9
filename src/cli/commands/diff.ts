import { Command } from 'commander';
import { diff } from '../../operations/diff.ts';
import type { Face } from '../face.ts';
import { diffAsJson, diffForPeople } from '../render/diff.ts';

async function* encoded(pieces: AsyncIterable<string>): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) yield Buffer.from(piece);
}

export const diffCommand = (face: Face): Command =>
  new Command('diff')
    .description('What was added, removed and modified since a snapshot, or between two of one pool.')
    .argument('<snapshot>', 'a snapshot or a kept state')
    .argument('[snapshot]', 'another one, or "now" for the subvolume as it is', 'now')
    .addHelpText(
      'after',
      '\nExamples:\n  holdfast diff media-pre-upgrade-20261121-143000\n  holdfast diff media-pre-upgrade-20261121-143000 media.recovery-backup-20261121-143200',
    )
    .action(async (from: string, other: string) => {
      await using application = await face.open();
      const to = other === 'now' ? null : other;
      const compared = await diff({ from, to }, application, face.signal);
      await face.write(encoded(face.globals().json ? diffAsJson(from, to, compared) : diffForPeople(compared)));
    });
