import { isBelow } from '../domain/tree-path.ts';
import type { Bytes } from '../ports/bytes.ts';
import type { IndexedEntry } from './stored-file.ts';
import { tarScanner } from './tar-scanner.ts';

/** The members of a tar as it passes, or only those at or below `below`. The tar is read to its end.
 *  @throws Damaged when it is not whole */
export async function* scanMembers(bytes: Bytes, subject: string, below: string): AsyncGenerator<IndexedEntry> {
  const scanner = tarScanner(subject);
  for await (const chunk of bytes)
    for (const { entry } of scanner.write(chunk)) if (isBelow(entry.path, below)) yield entry;
  scanner.end();
}
