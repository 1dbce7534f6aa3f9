import type { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Bytes } from '../ports/bytes.ts';

/** Writes all of `from` with back-pressure and leaves `into` open, because to close it says that the bytes are whole,
 *  which only the caller can tell. Returns false when `into` was closed by its reader before all was written; then
 *  `from` is released, waiting at most `graceMs` for it. Throws what `from` throws. */
export async function pour(from: Bytes, into: Writable, graceMs: number): Promise<boolean> {
  const source = from[Symbol.asyncIterator]();
  let closed = into.destroyed;
  // One slot instead of Promise.race with a lasting promise, which would keep a reaction for every chunk.
  let wake = (): void => undefined;
  const onClose = (): void => {
    closed = true;
    wake();
  };
  const onDrain = (): void => wake();
  into.once('close', onClose).on('drain', onDrain);
  into.on('error', () => undefined); // a broken pipe: 'close' follows, and the exit code of the reader is what counts
  const next = (): Promise<IteratorResult<Uint8Array> | null> =>
    new Promise((resolve, reject) => {
      wake = () => (closed ? resolve(null) : undefined);
      source.next().then(resolve, reject);
      wake();
    });
  const drained = (): Promise<void> =>
    new Promise((resolve) => {
      wake = resolve;
      if (closed) resolve();
    });
  for (;;) {
    const step = await next();
    if (step === null) break;
    if (step.done === true) return !closed;
    if (!into.write(step.value)) await drained();
  }
  // Nobody wants the rest any more, so neither does a failure of its clean-up matter.
  const released = Promise.resolve(source.return?.()).catch(() => undefined);
  await Promise.race([released, sleep(graceMs, undefined, { ref: false })]);
  return false;
}
