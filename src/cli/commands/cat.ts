import { Command } from 'commander';
import { cat } from '../../operations/cat.ts';
import type { Face } from '../face.ts';
import { openedFor, type RepositoryChoice, withRepositoryOptions } from '../repository-option.ts';
import { typedPath } from '../typed-words.ts';

export const catCommand = (face: Face): Command =>
  withRepositoryOptions(new Command('cat'))
    .description('One file or dump on stdout. Its bytes are proved while they pass: trust them when it ends with 0.')
    .argument('<point>', 'a point or a service')
    .argument('<item>', 'an item or source of it')
    .argument('[path]', 'a file in the item, as `holdfast ls` prints it', typedPath)
    .addHelpText(
      'after',
      '\nExamples:\n  holdfast cat wishlist db > wishlist.db\n  holdfast cat web files etc/caddy/Caddyfile',
    )
    .action(async (point: string, item: string, path: string | undefined, options: RepositoryChoice) => {
      await using application = await face.open(openedFor(options));
      await face.write(cat({ what: point, item, path, repository: options.repository }, application, face.signal));
    });
