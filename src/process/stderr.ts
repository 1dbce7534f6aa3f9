import { StringDecoder } from 'node:string_decoder';
import { longestSecret, maskSecrets } from '../domain/secret.ts';

/** How much of the end is kept, and the longest line that is kept together: 16 KiB. */
const LIMIT = 16 * 1024;

/** What a program says on stderr: lines as they come, and the end of it all, both with known secrets masked. */
export interface Stderr {
  write(chunk: Uint8Array): void;
  /** The last 16 KiB. Passes on the last line, when it had no newline. */
  end(): string;
}

/** A line for which `isForeign` is true is left out. A line that is longer than the limit comes in pieces, so that memory does not grow with what a program says. */
export function readStderr(onLine: (line: string) => void, isForeign: (line: string) => boolean = () => false): Stderr {
  const decoder = new StringDecoder('utf8');
  let pending = '';
  let tail = '';
  function pass(line: string, newline: string): void {
    if (isForeign(line)) return;
    tail += line + newline;
    if (tail.length > 4 * LIMIT) tail = tail.slice(-LIMIT);
    onLine(line);
  }
  function take(text: string): void {
    pending += text;
    const lines = pending.split('\n');
    pending = lines.pop() ?? '';
    for (const line of lines) pass(maskSecrets(line), '\n');
    if (pending.length <= LIMIT + longestSecret()) return;
    // The cut may go through a secret: as many characters as the longest one has wait for what comes next.
    const masked = maskSecrets(pending);
    const cut = masked.length - longestSecret();
    if (cut > 0) pass(masked.slice(0, cut), '');
    pending = masked.slice(Math.max(cut, 0));
  }
  return {
    write: (chunk) => take(decoder.write(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength))),
    end: () => {
      take(decoder.end());
      if (pending !== '') pass(maskSecrets(pending), '');
      pending = '';
      return Buffer.from(tail).subarray(-LIMIT).toString('utf8');
    },
  };
}

/** What GNU programs say last of all, after the line that has the cause. */
const CLOSING = /(?:Exiting with failure status due to previous errors|Error is not recoverable: exiting now)$/;

/** The last line that says something, for an error's message; at most 400 characters. */
export function lastLine(stderrTail: string): string {
  const lines = stderrTail.trimEnd().split('\n');
  const line = lines.findLast((one) => one.trim() !== '' && !CLOSING.test(one.trim())) ?? lines.at(-1) ?? '';
  return line.trim().slice(0, 400);
}
