import { readFileSync } from 'node:fs';
import { HoldfastError } from '../domain/errors.ts';
import { printName } from '../domain/tree-name.ts';

/** Node takes what is typed for UTF-8, and this stands for each byte that is none (WHATWG Encoding, 4.1). */
const REPLACED = '\uFFFD';

/** The bytes that were typed for a word, or for the value of an option `--name=value`; null for text as any other. */
function bytesOf(text: string): Uint8Array | null {
  if (!text.includes(REPLACED)) return null;
  for (const word of readFileSync('/proc/self/cmdline', 'latin1').split('\0')) {
    const value = /^--[a-z-]+=/.exec(word)?.[0].length ?? 0;
    for (const bytes of [word, word.slice(value)].map((latin) => Buffer.from(latin, 'latin1')))
      if (bytes.toString() === text && !bytes.equals(Buffer.from(text))) return bytes;
  }
  return null;
}

/** A name in a tree as it was typed. Bytes that are not UTF-8, as the shell makes them of `$'caf\xe9'`, become what `ls`
 *  prints for them. */
export function typedPath(text: string): string {
  const bytes = bytesOf(text);
  return bytes === null ? text : printName(bytes);
}

/** Words that are handed on as they are: to a program, or to the file system, neither of which Node can give bytes that
 *  are not UTF-8. @throws Usage */
export function refuseReplaced(words: readonly string[]): void {
  const bytes = words.map(bytesOf).find((found) => found !== null);
  if (bytes === undefined) return;
  const word = printName(bytes);
  throw new HoldfastError('Usage', `${word} is not UTF-8, and would reach nothing under its own name.`, word, {
    hint: 'Put it into a script, or name a folder above it',
  });
}
