import { createReadStream } from 'node:fs';
import type { Bytes } from '../../../ports/bytes.ts';

const CHUNK_BYTES = 1024 ** 2;

/** The names in a list of the walk, each with the NUL that ends it, some thousand at a time. */
export async function* readNames(list: string, signal: AbortSignal): AsyncGenerator<readonly Buffer[]> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of createReadStream(list, { highWaterMark: CHUNK_BYTES })) {
    signal.throwIfAborted();
    const bytes = Buffer.concat([rest, chunk as Buffer]);
    const names: Buffer[] = [];
    let start = 0;
    for (let end = bytes.indexOf(0); end >= 0; end = bytes.indexOf(0, start)) {
      names.push(bytes.subarray(start, end + 1));
      start = end + 1;
    }
    rest = bytes.subarray(start);
    yield names;
  }
}

/** A key for a name: its bytes, each as one character. */
export const keyOf = (name: Uint8Array): string => Buffer.from(name).toString('latin1');

/** A list without some names; `left` holds their keys. */
export async function* namesWithout(list: string, left: ReadonlySet<string>, signal: AbortSignal): Bytes {
  for await (const names of readNames(list, signal)) {
    const kept = left.size === 0 ? names : names.filter((name) => !left.has(keyOf(name.subarray(0, -1))));
    yield Buffer.concat(kept);
  }
}
