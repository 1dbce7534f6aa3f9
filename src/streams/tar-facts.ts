import type { Facts } from '../domain/facts.ts';
import type { Bytes } from '../ports/bytes.ts';
import { tarScanner } from './tar-scanner.ts';

/** Lets a tar pass and counts what is in it. `done` is called once, after the last byte: files (every hard link counts),
 *  directories, symbolic links, others, and bytes (apparent sizes, each inode once).
 *  @throws Damaged when a header is not whole or the tar has no proper end */
export async function* countTree(bytes: Bytes, done: (facts: Facts) => void): Bytes {
  const scanner = tarScanner('the captured tree');
  const count = { file: 0, directory: 0, link: 0, hardlink: 0, other: 0 };
  let size = 0;
  for await (const chunk of bytes) {
    for (const { entry } of scanner.write(chunk)) {
      count[entry.type] += 1;
      size += entry.size;
    }
    yield chunk;
  }
  scanner.end();
  done({
    files: count.file + count.hardlink,
    directories: count.directory,
    links: count.link,
    others: count.other,
    bytes: size,
  });
}
