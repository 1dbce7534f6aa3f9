import { Command } from 'commander';
import { type LsEntry, ls } from '../../operations/ls.ts';
import type { Face } from '../face.ts';
import { entryAsJson, entryForPeople } from '../render/ls.ts';
import { openedFor, type RepositoryChoice, withRepositoryOptions } from '../repository-option.ts';
import { typedPath } from '../typed-words.ts';

export const lsCommand = (face: Face): Command =>
  withRepositoryOptions(new Command('ls'))
    .description(
      'The files in a recovery point. A byte of a name that is not UTF-8 is printed as \\xHH; in single quotes cat, ls and restore --path take it so.',
    )
    .argument('<point>', 'a point or a service')
    .argument('[item]', 'an item or source of it; all of them when left out')
    .argument('[path]', 'only what is at or below this name', typedPath)
    .addHelpText('after', '\nExamples:\n  holdfast ls wishlist\n  holdfast ls 01KAJ files opt/wishlist/uploads --json')
    .action(async (point: string, item: string | undefined, path: string | undefined, options: RepositoryChoice) => {
      await using application = await face.open(openedFor(options));
      const entries = ls({ what: point, item, path, repository: options.repository }, application, face.signal);
      const { json } = face.globals();
      await face.write(json ? asDocument(entries) : inPieces(entries, (entry) => `${entryForPeople(entry)}\n`));
    });

/** In pieces of about 64 KiB, since a write for each of a million names is slow. */
async function* inPieces(entries: AsyncIterable<LsEntry>, print: (entry: LsEntry) => string): AsyncGenerator<Buffer> {
  let pending: string[] = [];
  let length = 0;
  for await (const entry of entries) {
    const text = print(entry);
    pending.push(text);
    length += text.length;
    if (length < 65_536) continue;
    yield Buffer.from(pending.join(''));
    [pending, length] = [[], 0];
  }
  yield Buffer.from(pending.join(''));
}

/** One document, given when the last name was read, since one that breaks off is none. Until then its text is kept, which
 *  takes a quarter of what the objects would, and no string is as long as all of it. */
async function* asDocument(entries: AsyncIterable<LsEntry>): AsyncGenerator<Buffer> {
  const pieces: Buffer[] = [];
  let before = '{"entries":[';
  const print = (entry: LsEntry): string => {
    const text = before + JSON.stringify(entryAsJson(entry));
    before = ',';
    return text;
  };
  for await (const piece of inPieces(entries, print)) pieces.push(piece);
  yield* pieces;
  yield Buffer.from(before === ',' ? ']}\n' : `${before}]}\n`);
}
