import type { Facts } from '../domain/facts.ts';
import type { Bytes } from '../ports/bytes.ts';
import { tarScanner } from './tar-scanner.ts';

/** 53 bits of a name (FNV-1a, https://www.ietf.org/archive/id/draft-eastlake-fnv-21.html, twice 32 bits). Of a million
 *  names two have the same with a probability of 1 in 18,000. */
function shortHash(name: string): number {
  let [low, high] = [0x811c9dc5, 0x01234567];
  for (let i = 0; i < name.length; i++) {
    low = Math.imul(low ^ name.charCodeAt(i), 0x01000193);
    high = Math.imul(high ^ name.charCodeAt(i), 0x01000193) ^ (low >>> 7);
  }
  return (high >>> 11) * 2 ** 32 + (low >>> 0);
}

/** Lets a tar pass and counts what is in it. `done` is called once, after the last byte: files (every hard link counts),
 *  directories, symbolic links, others, and bytes (apparent sizes, each inode once).
 *  @throws Damaged when a header is not whole or the tar has no proper end */
export async function* countTree(bytes: Bytes, done: (facts: Facts) => void): Bytes {
  const scanner = tarScanner('the captured tree');
  const count = { file: 0, directory: 0, link: 0, other: 0 };
  const special = { link: new Set<number>(), other: new Set<number>() }; // a hard link may be to one of these
  let size = 0;
  for await (const chunk of bytes) {
    for (const { entry } of scanner.write(chunk)) {
      const { type, path, target = '' } = entry;
      if (type === 'link' || type === 'other') special[type].add(shortHash(path));
      if (type !== 'hardlink') count[type] += 1;
      else if (special.link.has(shortHash(target))) count.link += 1;
      else if (special.other.has(shortHash(target))) count.other += 1;
      else count.file += 1;
      size += entry.size;
    }
    yield chunk;
  }
  scanner.end();
  done({
    files: count.file,
    directories: count.directory,
    links: count.link,
    others: count.other,
    bytes: size,
  });
}
