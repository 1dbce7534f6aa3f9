import type { Bytes } from '../ports/bytes.ts';

/** The same bytes; an abort ends the wait for the next chunk at once, even when their producer does not hear of it. */
export async function* abortable(bytes: Bytes, signal: AbortSignal): Bytes {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  aborted.catch(() => {}); // nobody may be waiting when it happens
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  const iterator = bytes[Symbol.asyncIterator]();
  let ended = false;
  try {
    for (;;) {
      const next = await Promise.race([iterator.next(), aborted]);
      ended = next.done === true;
      if (next.done) return;
      yield next.value;
    }
  } catch (error) {
    ended = !signal.aborted; // an iterator that threw has ended
    throw error;
  } finally {
    signal.removeEventListener('abort', onAbort);
    if (!ended) {
      const released = Promise.resolve(iterator.return?.());
      if (signal.aborted)
        released.catch(() => {}); // it may never answer: the reason of the abort is the one to tell
      else await released;
    }
  }
}
